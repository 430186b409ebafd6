// What the process tells of itself: memory, and how late its event loop is.

import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { version } from '#hypervisor';

export interface ProcessReadings {
  readonly version: string;
  /** Of Node. */
  readonly node: string;
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Since the last reading. */
  readonly loopDelay: readonly { readonly quantile: string; readonly seconds: number }[];
  readonly residentBytes: number;
  readonly heapBytes: number;
}

/** How often the loop is measured. What is later than this is late. */
const RESOLUTION_MS = 10;
const QUANTILES = ['0.5', '0.99', '1'] as const;

export class ProcessGauges {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  readonly #startTime = performance.timeOrigin / 1000;

  constructor() {
    this.#delay.enable();
  }

  read(): ProcessReadings {
    const loopDelay = QUANTILES.map((quantile) => ({ quantile, seconds: this.#lateness(Number(quantile)) }));
    this.#delay.reset();
    const { rss, heapUsed } = process.memoryUsage();
    return {
      version: version(),
      node: process.versions.node,
      startTime: this.#startTime,
      loopDelay,
      residentBytes: rss,
      heapBytes: heapUsed,
    };
  }

  close(): void {
    this.#delay.disable();
  }

  /** The histogram has whole intervals, and is empty at first. */
  #lateness(quantile: number): number {
    if (this.#delay.count === 0) return 0;
    return Math.max(0, this.#delay.percentile(quantile * 100) / 1e9 - RESOLUTION_MS / 1000);
  }
}
