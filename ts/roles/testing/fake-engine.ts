// An engine for the tests of roles: it keeps the tables of docs/engine.md in memory and refuses what the page says is refused. It
// forwards nothing, opens no device and proves nothing about the real one; the end-to-end tests do that.

import type {
  ApplyResult,
  Captured,
  CaptureFilter,
  Command,
  DumpKind,
  DumpRows,
  Engine,
  EngineEvent,
  EngineInfo,
  EngineStats,
  Page,
  Punt,
  Refusal,
  Trace,
  Unsubscribe,
} from '#dataplane';
import { type MacAddr, nveError } from '#model';
import { dependenciesOf, type EngineObject, keyOf, type ObjectKey, uniqueOf } from '../engine/objects.js';

type Refuse = (command: Command) => string | undefined;

export class FakeEngine implements Engine {
  /** What it holds. */
  readonly objects = new Map<ObjectKey, EngineObject>();
  /** Every batch that came, refused or not. */
  readonly batches: (readonly Command[])[] = [];
  readonly injected: { port: number; frame: Uint8Array }[] = [];
  /** Commands that broke the page's rules, all batches together: what a caller should never send. */
  readonly violations: Refusal[] = [];
  closed = false;
  capturing: { readonly filter: CaptureFilter; readonly snap: number } | null = null;
  /** What the next `captured` gives. */
  recorded: Captured = { frames: [], lost: 0 };
  /** Ports without a carrier. */
  readonly down = new Set<number>();
  /** Gives the error code for a command that shall be refused, as a failing device would. */
  refuse: Refuse = () => undefined;
  /** Awaited before each batch: a test can hold the engine. */
  gate: Promise<unknown> = Promise.resolve();
  readonly #events = new Set<(event: EngineEvent) => void>();
  readonly #punts = new Set<(punt: Punt) => void>();

  info(): EngineInfo {
    return { schema: 2, epoch: 1n, dpdk: 'none', hugepages: false, pollers: 1, fdbCapacity: 65_536, maxPorts: 64 };
  }

  async apply(commands: readonly Command[]): Promise<ApplyResult> {
    await this.gate;
    if (this.closed) throw nveError('NVE-ENG-000', { reason: 'closed' });
    this.batches.push(commands);
    const after = new Map(this.objects);
    const refused: Refusal[] = [];
    const failed: Refusal[] = [];
    const no = (command: Command, code: string, context: Record<string, unknown> = {}): void =>
      void refused.push({ command, code, context });
    const seen = new Set<ObjectKey>();
    for (const command of commands) {
      const key = keyOf(command);
      if (seen.has(key)) no(command, 'NVE-ENG-002', { key });
      seen.add(key);
      const code = this.refuse(command);
      if (code !== undefined) failed.push({ command, code, context: { key } });
      const object = held(command);
      const before = this.objects.get(key);
      if (command.op === 'PortAdd' && before !== undefined && JSON.stringify(before) !== JSON.stringify(command))
        no(command, 'NVE-ENG-003', { key });
      if (object === undefined) after.delete(key);
      else after.set(key, object);
    }
    for (const command of commands) this.#check(command, after, no);
    this.violations.push(...refused);
    if (refused.length + failed.length > 0) return { applied: [], refused: [...refused, ...failed] };
    this.objects.clear();
    for (const [key, object] of after) this.objects.set(key, object);
    for (const command of commands) if (command.op === 'VnDel') this.#sweep(command.vn);
    return { applied: commands, refused: [] };
  }

  /** The rules between objects, on the state that the batch would leave. */
  #check(
    command: Command,
    after: ReadonlyMap<ObjectKey, EngineObject>,
    no: (command: Command, code: string, context?: Record<string, unknown>) => void,
  ): void {
    const key = keyOf(command);
    const object = after.get(key);
    if (command.op === 'NextHopAlive' && !after.has(`nexthop ${command.nh}`)) no(command, 'NVE-ENG-004', { key });
    if (object === undefined) {
      // VnDel takes rows, flood list, sources and pairs with it, but not VAPs.
      const tolerated = command.op === 'VnDel' ? ['FdbSet', 'FloodSet', 'SourcesSet', 'PairSet'] : [];
      for (const other of after.values()) {
        if (!tolerated.includes(other.op) && dependenciesOf(other).includes(key))
          no(command, 'NVE-ENG-005', { key, usedBy: keyOf(other) });
      }
      if ((command.op === 'FloodSet' || command.op === 'SourcesSet') && !after.has(`vn ${command.vn}`))
        no(command, 'NVE-ENG-004', { key });
      return;
    }
    for (const dependency of dependenciesOf(object))
      if (!after.has(dependency)) no(command, 'NVE-ENG-004', { key, missing: dependency });
    const unique = uniqueOf(object);
    // Stricter than the page: also what the batch deletes is in the way, so that the reconciler never relies on it.
    for (const other of unique === undefined ? [] : [...after.values(), ...this.objects.values()]) {
      if (keyOf(other) !== key && uniqueOf(other) === unique) no(command, 'NVE-ENG-006', { key, holder: keyOf(other) });
    }
    if (object.op === 'VapSet' && object.uplink) {
      for (const other of after.values()) {
        if (other.op === 'VapSet' && other.uplink && other.vn === object.vn && other.vap !== object.vap)
          no(command, 'NVE-ENG-007', { key });
      }
    }
  }

  #sweep(vn: number): void {
    for (const [key, object] of this.objects)
      if ('vn' in object && object.vn === vn && object.op !== 'VapSet') this.objects.delete(key);
  }

  async dump<K extends DumpKind>(kind: K): Promise<DumpRows[K][]> {
    const rows = [...this.objects.values()].flatMap((object) => rowOf(kind, object, this.objects));
    const withLinks = rows.map((row) => (kind === 'ports' ? this.#withLink(row as DumpRows['ports']) : row));
    return withLinks as DumpRows[K][];
  }

  #withLink(row: DumpRows['ports']): DumpRows['ports'] {
    return { ...row, linkUp: !this.down.has(row.port) };
  }

  async page<K extends DumpKind>(kind: K, cursor: unknown, limit: number): Promise<Page<DumpRows[K]>> {
    const rows = await this.dump(kind);
    const from = typeof cursor === 'number' ? cursor : 0;
    return { rows: rows.slice(from, from + limit), cursor: from + limit < rows.length ? from + limit : null };
  }

  async stats(): Promise<EngineStats> {
    const ports = [...this.objects.values()].flatMap((object) => (object.op === 'PortAdd' ? [object.port] : []));
    return {
      ports: ports.map((port) => ({
        port,
        rxPackets: 0,
        rxBytes: 0,
        txPackets: 0,
        txBytes: 0,
        rxMissed: 0,
        rxErrors: 0,
      })),
      drops: ports.map((port) => ({ port, reason: 'source_guard', packets: port + 1 })),
      pollers: [],
    };
  }

  async capture(filter: CaptureFilter | null, snap: number): Promise<void> {
    this.capturing = filter === null ? null : { filter, snap };
  }

  captured(): Captured {
    const { frames, lost } = this.recorded;
    this.recorded = { frames: [], lost: 0 };
    return { frames, lost };
  }

  async inject(port: number, frame: Uint8Array): Promise<void> {
    this.injected.push({ port, frame });
  }

  /** As of a port without VAPs. */
  async trace(port: number): Promise<Trace> {
    return {
      outcome: 'dropped',
      detail: 'untagged',
      meaning: 'No tag.',
      frames: [],
      drops: [{ reason: 'untagged', packets: 1 }],
      vaps: [],
      learned: [],
      steps: [{ step: 'port', facts: { port, role: 'access', mac: Uint8Array.of(2, 0, 0, 0, 0, 1) } }],
    };
  }

  onEvent(listener: (event: EngineEvent) => void): Unsubscribe {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  onPunt(listener: (punt: Punt) => void): Unsubscribe {
    this.#punts.add(listener);
    return () => this.#punts.delete(listener);
  }

  emit(event: EngineEvent): void {
    for (const listener of this.#events) listener(event);
  }

  punt(punt: Punt): void {
    for (const listener of this.#punts) listener(punt);
  }

  async close(): Promise<void> {
    this.closed = true;
  }

  shutdownNow(): void {
    this.closed = true;
  }
}

function held(command: Command): EngineObject | undefined {
  if (command.op.endsWith('Del')) return undefined;
  if (command.op === 'PoliceSet' && command.rate === null) return undefined;
  if (command.op === 'ExceptionSet' && command.tap === null) return undefined;
  if (command.op === 'PortAdmin' && command.up) return undefined;
  if (command.op === 'NextHopAlive' && command.alive) return undefined;
  if (command.op === 'FloodSet' && command.dests.length === 0) return undefined;
  if (command.op === 'SourcesSet' && command.ips.length === 0) return undefined;
  return command as EngineObject;
}

function rowOf(kind: DumpKind, object: EngineObject, all: ReadonlyMap<ObjectKey, EngineObject>): unknown[] {
  switch (object.op) {
    case 'PortAdd': {
      const mac = `02:fe:00:00:00:${object.port.toString(16).padStart(2, '0')}` as MacAddr;
      const { port, name, mtu } = object;
      const isUnderlay = [...all.values()].some((other) => other.op === 'UnderlaySet' && other.port === port);
      const role = isUnderlay ? 'underlay' : 'access';
      return kind === 'ports' ? [{ port, name, driver: object.kind.driver, mac, mtu, linkUp: true, role }] : [];
    }
    case 'VnSet': {
      const flood = all.get(`flood ${object.vn}`);
      const sources = all.get(`sources ${object.vn}`);
      const count = (op: string): number =>
        [...all.values()].filter((other) => other.op === op && 'vn' in other && other.vn === object.vn).length;
      const { vn, vni, mtu, options = {} } = object;
      return kind === 'vns'
        ? [
            {
              vn,
              vni,
              mtu,
              vaps: count('VapSet'),
              rows: count('FdbSet'),
              flood: flood?.op === 'FloodSet' ? flood.dests : [],
              sources: sources?.op === 'SourcesSet' ? sources.ips : [],
              options,
            },
          ]
        : [];
    }
    case 'VapSet':
      return kind === 'vaps' ? [{ tags: { kind: 'refuse' }, options: {}, ...object }] : [];
    case 'NextHopSet':
      return kind === 'nexthops' ? [{ ...object, port: 0, neighbourMac: null, state: 'unresolved' }] : [];
    case 'FdbSet':
      return kind === 'fdb' ? [{ ageS: 0, ...object }] : [];
    case 'PairSet':
      return kind === 'pairs' ? [object] : [];
    default:
      return [];
  }
}
