// One run: its processes, and what was checked so far. A check that throws has failed, under its own name.

import { toNveError } from '#model';
import type { DemoOptions } from './options.js';
import type { Processes } from './processes.js';
import * as screen from './screen.js';

export interface Outcome {
  readonly isHeld: boolean;
  /** What was seen: a figure, or what is wrong. */
  readonly detail: string;
}

export interface Result extends Outcome {
  readonly name: string;
}

export class Lab {
  readonly results: Result[] = [];
  readonly options: DemoOptions;
  readonly processes: Processes;

  constructor(options: DemoOptions, processes: Processes) {
    this.options = options;
    this.processes = processes;
  }

  /** @param needs the name of a check without which this one would only wait for its deadline */
  async check(name: string, run: () => Promise<Outcome>, needs?: string): Promise<void> {
    let outcome: Outcome;
    try {
      const isHopeless = this.results.some((result) => result.name === needs && !result.isHeld);
      outcome = isHopeless ? failed(`not tried: "${needs}" failed`) : await run();
    } catch (error) {
      outcome = { isHeld: false, detail: toNveError(error).message };
    }
    this.results.push({ name, ...outcome });
    screen.outcome(outcome.isHeld, name, outcome.detail);
  }
}

export function held(detail: string): Outcome {
  return { isHeld: true, detail };
}

export function failed(detail: string): Outcome {
  return { isHeld: false, detail };
}
