// An engine in a process and a network namespace of its own, driven through engine-driver.mjs.
import { fileURLToPath } from 'node:url';
import type {
  ApplyResult,
  Command,
  DumpKind,
  DumpRows,
  EngineEvent,
  EngineOptions,
  EngineStats,
  PortStats,
  Punt,
  Trace,
} from '#dataplane';
import type { Namespace } from './namespace.js';
import { Talker } from './talker.js';

const DRIVER = fileURLToPath(new URL('engine-driver.mjs', import.meta.url));

/** Small, without hugepages, asleep when idle: several run on two CPUs. */
export const OPTIONS: EngineOptions = {
  hugepages: 'off',
  memoryMb: 128,
  mbufs: 16_383,
  mbufSize: 2_432,
  pollers: 1,
  poll: 'sleep',
  fdbCapacity: 4_096,
  cpus: null,
  extraEal: [],
};

export class EngineProcess {
  readonly name: string;
  readonly namespace: Namespace;
  readonly events: EngineEvent[] = [];
  readonly punts: Punt[] = [];
  readonly #talker: Talker;

  static async open(name: string, namespace: Namespace, options: Partial<EngineOptions> = {}): Promise<EngineProcess> {
    const engine = new EngineProcess(name, namespace);
    await engine.#call('open', { ...OPTIONS, ...options });
    return engine;
  }

  private constructor(name: string, namespace: Namespace) {
    this.name = name;
    this.namespace = namespace;
    const [program, args] = namespace.inside(process.execPath, DRIVER);
    this.#talker = new Talker(`engine ${name}`, program, args, (line) => {
      if ('event' in line) this.events.push(line.event as EngineEvent);
      if ('punt' in line) this.punts.push(line.punt as Punt);
    });
  }

  get pid(): number {
    return this.#talker.pid;
  }

  apply(commands: readonly Command[]): Promise<ApplyResult> {
    return this.#call('apply', commands) as Promise<ApplyResult>;
  }

  /** Applies commands, none of which may be refused. */
  async must(...commands: Command[]): Promise<void> {
    const { refused } = await this.apply(commands);
    if (refused.length === 0) return;
    const lines = refused.map(
      ({ command, code, context }) => `${code} ${JSON.stringify(context)} for ${JSON.stringify(command)}`,
    );
    throw new Error(`engine ${this.name} refused:\n${lines.join('\n')}`);
  }

  dump<K extends DumpKind>(kind: K): Promise<DumpRows[K][]> {
    return this.#call('dump', kind) as Promise<DumpRows[K][]>;
  }

  stats(): Promise<EngineStats> {
    return this.#call('stats') as Promise<EngineStats>;
  }

  async inject(port: number, frame: Uint8Array): Promise<void> {
    await this.#call('inject', port, frame);
  }

  /** What would become of each frame. */
  trace(frames: readonly (readonly [port: number, frame: Uint8Array])[]): Promise<Trace[]> {
    return this.#call('trace', frames) as Promise<Trace[]>;
  }

  /** Drops so far, as `{ 'PORT reason': packets }`. */
  async drops(): Promise<Record<string, number>> {
    const { drops } = await this.stats();
    return Object.fromEntries(drops.map(({ port, reason, packets }) => [`${port} ${reason}`, packets]));
  }

  async portStats(port: number): Promise<PortStats> {
    const row = (await this.stats()).ports.find((row) => row.port === port);
    if (row === undefined) throw new Error(`engine ${this.name} has no port ${port}`);
    return row;
  }

  /** Waits until the engine knows the MAC of every next hop. */
  async resolved(): Promise<void> {
    await eventually(`${this.name}: neighbours`, async () => {
      const rows = await this.dump('neighbours');
      return rows.length > 0 && rows.every(({ state }) => state === 'reachable');
    });
  }

  /** Closes the engine, and then its process. */
  async close(): Promise<void> {
    await this.#talker.close();
  }

  #call(call: string, ...args: unknown[]): Promise<unknown> {
    return this.#talker.call({ call, args });
  }
}

/** What has grown between two results of `drops`. */
export function grown(before: Record<string, number>, after: Record<string, number>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(after)
      .map(([key, count]) => [key, count - (before[key] ?? 0)] as const)
      .filter(([, count]) => count !== 0),
  );
}

/** Waits up to `timeout` milliseconds for something to become true. */
export async function eventually(
  what: string,
  holds: () => Promise<boolean> | boolean,
  timeout = 10_000,
): Promise<void> {
  const end = performance.now() + timeout;
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`not within ${timeout / 1000} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Drops without what a peer's kernel says to groups of IPv6 that are not for us: MLD, its own search for duplicates. */
export function withoutChatter(drops: Record<string, number>, underlay: number): Record<string, number> {
  const { [`${underlay} not_for_us`]: _, ...others } = drops;
  return others;
}
