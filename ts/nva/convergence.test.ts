/**
 * NVEs, sessions and the authority without sockets, under random events: lost sessions, restarts of the NVA, moves, VNs that
 * come and go. When it is quiet, every NVE knows exactly what the authority knows; of a VN whose hosts are asked for, its own hosts, and
 * nothing that is not so.
 */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { DEFAULT_VN_SETTINGS, type NveId, unwrap, type VnInfo, type VnName } from '#model';
import { NnpClient, type NnpClientEffect, type NnpClientEvent, type NnpServerEvent, NnpServerSession } from '#protocol';
import { decodeNnp, encodeNnp, type NnpFrame } from '#wire';
import type { VnListing } from './server/api.js';
import { Authority } from './server/authority.js';
import { type RecordStore, readRecords } from './server/records.js';
import { attachment, CONFIG, mac, nveId, vnId, vnInfo } from './testing/lab.js';

const NAMES: Record<number, string> = { 7: 'blue', 8: 'red', 9: 'green' };
const GREEN = 9;
/** The hosts of green are asked for, unless it is said to be pushed. */
function info(vn: number, pushed = false): VnInfo {
  const settings = { ...DEFAULT_VN_SETTINGS, unknown: 'query' as const };
  return { ...vnInfo(NAMES[vn] ?? '', vn), ...(vn === GREEN && !pushed && { settings }) };
}
const WITH_GREEN = {
  ...CONFIG,
  vns: [...CONFIG.vns, info(GREEN)],
  tsis: [...CONFIG.tsis, { vn: 'green' as VnName, tsi: 't*' }],
};

const NVES = ['a', 'b', 'blue-only'].map(nveId);

class World {
  now = 0;
  authority: Authority;
  starts = 0;
  readonly #records = new Map<string, string>();
  /** Frames on their way, by NVE. */
  readonly nves: Nve[];

  constructor() {
    this.authority = this.#start();
    this.nves = NVES.map((id) => new Nve(id, this));
    for (const nve of this.nves) nve.client({ type: 'start' });
  }

  #start(): Authority {
    this.starts += 1;
    const fixed = { holdMs: 5000, authTtlS: 1, settleMs: 3000, limits: { logOps: 6 } };
    const put = (key: string, value: unknown) => {
      if (value === null) this.#records.delete(key);
      else this.#records.set(key, JSON.stringify(value));
    };
    const store = { path: 'records', records: () => [...this.#records].map(([key, text]) => [key, JSON.parse(text)]) };
    const remembered = unwrap(readRecords(store as unknown as RecordStore));
    const options = { config: WITH_GREEN, epoch: `e${this.starts}`, now: this.now, ...fixed, remembered, put };
    return unwrap(Authority.create(options));
  }

  /** `remembers`: what was on disk is there again. */
  restart(remembers: boolean): void {
    for (const nve of this.nves) nve.cut();
    if (!remembers) this.#records.clear();
    const before = this.authority.list();
    this.authority = this.#start();
    if (!remembers) return;
    const after = new Map(this.authority.list().map((vn) => [vn.info.name, vn]));
    for (const vn of before) expect(asSets(after.get(vn.info.name))).toEqual(asSets(vn));
  }

  /** The authority changed. */
  tell(): void {
    for (const nve of this.nves) nve.server({ type: 'changed' });
  }

  /** Carries frames until there are none. */
  deliver(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const nve of this.nves) moved = nve.deliver() || moved;
    }
  }

  pass(ms: number): void {
    this.now += ms;
    for (const nve of this.nves) {
      nve.client({ type: 'tick' });
      nve.server({ type: 'tick' });
    }
    if (this.authority.expireLeases(this.now).length > 0) this.tell();
    this.deliver();
  }
}

function asSets(vn: VnListing | undefined): unknown {
  return vn && { members: new Set(vn.members), hosts: new Set(vn.hosts) };
}

class Nve {
  readonly id: NveId;
  readonly #world: World;
  readonly machine: NnpClient;
  session: NnpServerSession | null = null;
  readonly #up: NnpFrame[] = [];
  readonly #down: NnpFrame[] = [];
  /** What the engine would have, from the changes alone. */
  readonly engine = new Map<number, { info: string; members: Map<string, string>; hosts: Map<string, string> }>();
  link = 0;
  #call = 0;

  constructor(id: NveId, world: World) {
    this.id = id;
    this.#world = world;
    const endpoints = [{ priority: 0, weight: 1, name: 'tls:nva:1' }];
    const timing = { backoffMinMs: 10, backoffMaxMs: 100 };
    this.machine = new NnpClient({ nveId: id, instance: 'i', tunnels: [], endpoints, random: () => 0.5, timing });
  }

  client(event: NnpClientEvent): void {
    for (const effect of this.machine.handle(event, this.#world.now)) this.#client(effect);
  }

  server(event: NnpServerEvent): void {
    const { session } = this;
    if (session === null) return;
    for (const effect of session.handle(event, this.#world.now)) {
      if (effect.type === 'send') this.#down.push(unwrap(decodeNnp(encodeNnp(effect.frame))));
      else if (effect.type === 'close') this.cut();
      else if (effect.type === 'changed') this.#world.tell();
      else if (effect.type === 'more') this.server({ type: 'writable' });
    }
  }

  /** The connection breaks; what was under way is lost. */
  cut(): void {
    if (this.session === null) return;
    if (this.session.nveId !== null) this.#world.authority.lost(this.id, this.#world.now);
    this.session = null;
    this.#up.length = 0;
    this.#down.length = 0;
    this.client({ type: 'closed', link: this.link, cause: 'cut' });
  }

  deliver(): boolean {
    const up = this.#up.shift();
    if (up !== undefined) this.server({ type: 'frame', frame: up });
    const down = this.#down.shift();
    if (down !== undefined) this.client({ type: 'frame', link: this.link, frame: down });
    return up !== undefined || down !== undefined;
  }

  subscribe(vn: number): void {
    this.#call += 1;
    this.client({ type: 'subscribe', call: this.#call, vn: vnId(vn), deadlineMs: 1e6 });
  }

  /** As an NVE does: it subscribes to what it attaches to. */
  report(change: 'attach' | 'detach', tsi: number, macs: number[], vn: number, port: number): void {
    if (change === 'attach') this.subscribe(vn);
    this.#call += 1;
    const what = attachment(`t${tsi}`, macs, vn, `acc${port}`);
    this.client({ type: 'report', call: this.#call, change, attachment: what, deadlineMs: 1e6 });
  }

  #client(effect: NnpClientEffect): void {
    switch (effect.type) {
      case 'dial':
        this.link = effect.link;
        this.session = new NnpServerSession(this.#world.authority);
        this.server({ type: 'open' });
        this.client({ type: 'open', link: this.link });
        break;
      case 'send':
        this.#up.push(unwrap(decodeNnp(encodeNnp(effect.frame))));
        break;
      case 'close':
        expect.unreachable(`${this.id} gave its session up`);
        break;
      case 'mapping': {
        const { change } = effect;
        const vn = this.engine.get(change.vn) ?? { info: '', members: new Map(), hosts: new Map() };
        this.engine.set(change.vn, vn);
        if (change.info !== undefined) vn.info = JSON.stringify(change.info);
        for (const member of change.members.set) vn.members.set(member.nveId, JSON.stringify(member));
        for (const host of change.hosts.set) vn.hosts.set(host.mac, JSON.stringify(host));
        for (const mac of change.hosts.removed) expect(vn.hosts.delete(mac)).toBe(true);
        for (const member of change.members.removed) expect(vn.members.delete(member)).toBe(true);
        break;
      }
      default:
        break;
    }
  }
}

type Step =
  | { do: 'attach' | 'detach'; nve: number; tsi: number; macs: number[]; vn: number; port: number }
  | { do: 'subscribe' | 'unsubscribe'; nve: number; vn: number }
  | { do: 'cut'; nve: number }
  | { do: 'delete' | 'put'; vn: number }
  | { do: 'push' }
  | { do: 'miss'; nve: number; macs: number[] }
  | { do: 'pass'; ms: number }
  | { do: 'deliver' | 'restart' | 'resume' };

const nve = fc.nat(2);
const vn = fc.constantFrom(7, 8, GREEN);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom('attach' as const, 'detach' as const),
      nve,
      tsi: fc.nat(2),
      macs: fc.uniqueArray(fc.nat(4), { minLength: 1, maxLength: 3 }),
      vn,
      port: fc.nat(1),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('subscribe' as const, 'unsubscribe' as const), nve, vn }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cut' as const), nve }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('delete' as const, 'put' as const), vn }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.integer({ min: 1, max: 4000 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('deliver' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart' as const, 'resume' as const, 'push' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('miss' as const), nve, macs: fc.uniqueArray(fc.nat(4)) }) },
);

function apply(world: World, step: Step): void {
  const of = 'nve' in step ? world.nves[step.nve] : undefined;
  switch (step.do) {
    case 'attach':
    case 'detach':
      of?.report(step.do, step.tsi, step.macs, step.vn, step.port);
      break;
    case 'subscribe':
      of?.subscribe(step.vn);
      break;
    case 'unsubscribe':
      // Not while something is attached.
      for (const tsi of [0, 1, 2]) for (const port of [0, 1]) of?.report('detach', tsi, [], step.vn, port);
      of?.client({ type: 'unsubscribe', vn: vnId(step.vn) });
      of?.engine.delete(step.vn);
      break;
    case 'cut':
      of?.cut();
      break;
    case 'delete':
      world.authority.deleteVn(info(step.vn).name);
      world.tell();
      break;
    case 'put':
      unwrap(world.authority.putVn(info(step.vn)));
      world.tell();
      break;
    case 'push':
      unwrap(world.authority.putVn(info(GREEN, true)));
      world.tell();
      break;
    case 'miss':
      of?.client({ type: 'miss', vn: vnId(GREEN), macs: step.macs.map(mac) });
      break;
    case 'pass':
      world.pass(step.ms);
      break;
    case 'deliver':
      world.deliver();
      break;
    case 'restart':
    case 'resume':
      world.restart(step.do === 'resume');
      break;
  }
}

it('when it is quiet, everybody knows the same', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
      const world = new World();
      for (const one of steps) apply(world, one);
      for (const n of [7, 8, GREEN]) unwrap(world.authority.putVn(info(n)));
      world.tell();
      for (let i = 0; i < 12; i++) world.pass(2000);
      const listing = world.authority.list();
      for (const one of world.nves) {
        expect(one.machine.status().state).toBe('connected');
        for (const { info, members, hosts } of listing) {
          const view = one.machine.view(info.vn);
          if (view === null) continue;
          expect(view.live).toBe(true);
          expect(view.info).toEqual(info);
          // Of a VN whose hosts are asked for: its own ones, and what is so.
          const isMine = (mac: string): boolean => info.vn !== GREEN || view.hosts.has(mac as never);
          const known = hosts.filter(({ mac, nveId }) => nveId === one.id || isMine(mac));
          expect(new Set(view.hosts.values())).toEqual(new Set(known));
          expect(new Set(view.members.keys())).toEqual(new Set(members.map((member) => member.nveId)));
          // The changes alone lead to the same.
          const engine = one.engine.get(info.vn);
          expect(engine?.info).toBe(JSON.stringify(view.info));
          expect(engine?.hosts).toEqual(
            new Map(known.map((host) => [host.mac, JSON.stringify(view.hosts.get(host.mac))])),
          );
        }
      }
      // What NVEs hold for attached is what the authority knows.
      const attached = world.nves.reduce((sum, { machine }) => sum + machine.status().attachments, 0);
      expect(world.authority.attachments()).toBe(attached);
    }),
    { numRuns: 100 },
  );
}, 30_000);
