import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Command, Dest } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { FakeEngine } from '../testing/fake-engine.js';
import { type LogLine, silentLog } from '../testing/silent.js';
import { type EngineObject, type EngineState, stateOf } from './objects.js';
import { Reconciler } from './reconciler.js';

const port = (n: number): EngineObject => ({
  op: 'PortAdd',
  port: n,
  name: `p${n}`,
  mtu: 1500,
  kind: { driver: 'net_ring' },
});
const vn = (n: number, vni = 5000 + n): EngineObject => ({
  op: 'VnSet',
  vn: n as VnId,
  vni: vni as Vni,
  mtu: 1500 as Mtu,
});
const vap = (n: number, of: number, vid: number): EngineObject => ({
  op: 'VapSet',
  vap: n,
  vn: of as VnId,
  port: 0,
  selector: { kind: 'c-tag', vid: vid as Vid },
  guard: true,
  uplink: false,
});
const nh = (n: number): EngineObject => ({
  op: 'NextHopSet',
  nh: n,
  remote: `192.0.2.${n}` as IpAddr,
  encap: 1,
  contextId: 5001,
});
const mac = (n: number): MacAddr => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;
const row = (of: number, n: number, dest: Dest): EngineObject => ({ op: 'FdbSet', vn: of as VnId, mac: mac(n), dest });
const flood = (of: number, ...nhs: number[]): EngineObject => ({
  op: 'FloodSet',
  vn: of as VnId,
  dests: nhs.map((nh) => ({ kind: 'nh', nh })),
});
const group = (n: number, ...nhs: number[]): EngineObject => ({
  op: 'GroupSet',
  group: n,
  members: nhs.map((nh) => ({ nh, weight: 1 })),
});

let engine: FakeEngine;
let reconciler: Reconciler;
let lines: LogLine[];
let failed: unknown[];

beforeEach(async () => {
  engine = new FakeEngine();
  const made = silentLog();
  lines = made.lines;
  failed = [];
  reconciler = new Reconciler(engine, made.log, (error) => failed.push(error));
  await reconciler.set('base', stateOf([port(0)]));
  engine.batches.length = 0;
});

const ops = (): string[][] => engine.batches.map((batch) => batch.map(({ op }) => op));
const has = (state: EngineState): boolean =>
  [...state].every(([key, object]) => JSON.stringify(engine.objects.get(key)) === JSON.stringify(object));

describe('Reconciler', () => {
  it('sends the difference, and nothing if there is none', async () => {
    const blue = stateOf([
      vn(1),
      vap(1, 1, 100),
      nh(2),
      row(1, 1, { kind: 'vap', vap: 1 }),
      row(1, 2, { kind: 'nh', nh: 2 }),
      flood(1, 2),
    ]);
    await reconciler.set('vn 1', blue);
    expect(ops()).toEqual([['VnSet', 'VapSet', 'NextHopSet', 'FdbSet', 'FdbSet', 'FloodSet']]);
    expect(has(blue)).toBe(true);
    await reconciler.set('vn 1', new Map(blue));
    expect(engine.batches).toHaveLength(1);
    await reconciler.set('vn 1', stateOf([vn(1), vap(1, 1, 100), row(1, 1, { kind: 'vap', vap: 1 })]));
    expect(ops().slice(1)).toEqual(
      [['FdbDel', 'FloodSet', 'NextHopDel'].sort()].map((batch) => expect.arrayContaining(batch)),
    );
  });

  it('empties a VN before it deletes it', async () => {
    await reconciler.set(
      'vn 1',
      stateOf([vn(1), vap(1, 1, 100), nh(2), row(1, 1, { kind: 'vap', vap: 1 }), flood(1, 2)]),
    );
    engine.batches.length = 0;
    await reconciler.set('vn 1', new Map());
    expect(ops().at(-1)).toEqual(['VnDel']);
    expect([...engine.objects.keys()]).toEqual(['port 0']);
  });

  it('gives a tag or a VNI to another object only after the old one is gone', async () => {
    await reconciler.set('vn 1', stateOf([vn(1, 5001), vap(1, 1, 100)]));
    void reconciler.set('vn 1', new Map());
    await reconciler.set('vn 2', stateOf([vn(2, 5001), vap(2, 2, 100)]));
    expect([...engine.objects.keys()].sort()).toEqual(['port 0', 'vap 2', 'vn 2']);
    expect(reconciler.condition('vap 2')).toBeUndefined();
  });

  it('holds back what a refused object is named by, and only that', async () => {
    engine.refuse = (command) => (command.op === 'NextHopSet' && command.nh === 2 ? 'NVE-ENG-077' : undefined);
    await reconciler.set(
      'vn 1',
      stateOf([
        vn(1),
        nh(2),
        nh(3),
        row(1, 2, { kind: 'nh', nh: 2 }),
        row(1, 3, { kind: 'nh', nh: 3 }),
        flood(1, 2, 3),
      ]),
    );
    expect(has(stateOf([vn(1), nh(3), row(1, 3, { kind: 'nh', nh: 3 }), flood(1, 3)]))).toBe(true);
    expect(engine.objects.has('fdb 1 02:00:00:00:00:02')).toBe(false);
    expect(reconciler.condition('nexthop 2')?.code).toBe('NVE-ENG-077');
    expect(reconciler.condition('fdb 1 02:00:00:00:00:02')?.code).toBe('NVE-ENG-077');
    expect(reconciler.condition('nexthop 3')).toBeUndefined();
    expect(lines.filter(({ level }) => level === 40)).toMatchObject([
      { component: 'engine', object: 'nexthop 2', cause: 'NVE-ENG-077' },
      { object: 'fdb 1 02:00:00:00:00:02', cause: 'NVE-ENG-077' },
      { object: 'flood 1', cause: 'NVE-ENG-077' },
    ]);
  });

  it('makes a group of the next hops that there are, and adds the others when they can be made', async () => {
    const dest = { kind: 'group', group: 9 } as const;
    const named = [vn(1), row(1, 2, dest), { op: 'FloodSet', vn: 1 as VnId, dests: [dest] } as const];
    engine.refuse = (command) => (command.op === 'NextHopSet' && command.nh === 2 ? 'NVE-ENG-010' : undefined);
    await reconciler.set('vn 1', stateOf([...named, nh(2), nh(3), group(9, 2, 3)]));
    expect(has(stateOf([...named, nh(3), group(9, 3)]))).toBe(true);
    expect(reconciler.condition('group 9')?.code).toBe('NVE-ENG-010');
    expect(reconciler.condition('fdb 1 02:00:00:00:00:02')).toBeUndefined();
    engine.refuse = () => undefined;
    await reconciler.set('vn 9', stateOf([vn(9)]));
    expect(has(stateOf([...named, nh(2), nh(3), group(9, 2, 3)]))).toBe(true);
    expect(reconciler.condition('group 9')).toBeUndefined();

    // A member goes: the group changes first, and what names it stays.
    engine.batches.length = 0;
    await reconciler.set('vn 1', stateOf([...named, nh(3), group(9, 3)]));
    expect(ops()).toEqual([['GroupSet', 'NextHopDel']]);
    expect(engine.violations).toEqual([]);
  });

  it('tries what was refused again with the next change, and forgets the condition', async () => {
    engine.refuse = ({ op }) => (op === 'NextHopSet' ? 'NVE-ENG-077' : undefined);
    await reconciler.set('vn 1', stateOf([vn(1), nh(2), row(1, 2, { kind: 'nh', nh: 2 }), flood(1, 2)]));
    engine.refuse = () => undefined;
    await reconciler.set('vn 9', stateOf([vn(9)]));
    expect(has(stateOf([nh(2), row(1, 2, { kind: 'nh', nh: 2 }), flood(1, 2)]))).toBe(true);
    expect(reconciler.firstCondition(['nexthop 2', 'fdb 1 02:00:00:00:00:02', 'flood 1'])).toBeUndefined();
  });

  it('does not let an old refusal hold up what is new, nor log it again', async () => {
    engine.refuse = ({ op }) => (op === 'NextHopSet' ? 'NVE-ENG-077' : undefined);
    await reconciler.set('vn 1', stateOf([vn(1), nh(2)]));
    const logged = lines.length;
    engine.batches.length = 0;
    await reconciler.set('vn 9', stateOf([vn(9)]));
    expect(ops()).toEqual([['VnSet'], ['NextHopSet']]);
    expect(lines).toHaveLength(logged);
  });

  it('rather drops than forwards to a destination that is not wanted any more', async () => {
    await reconciler.set('vn 1', stateOf([vn(1), vap(1, 1, 100), row(1, 1, { kind: 'vap', vap: 1 })]));
    engine.refuse = ({ op }) => (op === 'NextHopSet' ? 'NVE-ENG-077' : undefined);
    await reconciler.set('vn 1', stateOf([vn(1), nh(2), row(1, 1, { kind: 'nh', nh: 2 })]));
    expect([...engine.objects.keys()].sort()).toEqual(['port 0', 'vn 1']);
    engine.refuse = () => undefined;
    await reconciler.set('other', stateOf([vn(9)]));
    expect(has(stateOf([nh(2), row(1, 1, { kind: 'nh', nh: 2 })]))).toBe(true);
  });

  it('keeps the old destination, if that is still wanted, while the new one is refused', async () => {
    await reconciler.set('vn 1', stateOf([vn(1), vap(1, 1, 100), row(1, 1, { kind: 'vap', vap: 1 })]));
    engine.refuse = ({ op }) => (op === 'NextHopSet' ? 'NVE-ENG-077' : undefined);
    await reconciler.set('vn 1', stateOf([vn(1), vap(1, 1, 100), nh(2), row(1, 1, { kind: 'nh', nh: 2 })]));
    expect(has(stateOf([vap(1, 1, 100), row(1, 1, { kind: 'vap', vap: 1 })]))).toBe(true);
    expect(reconciler.condition('fdb 1 02:00:00:00:00:01')?.code).toBe('NVE-ENG-077');
  });

  it('tries a refused deletion again', async () => {
    await reconciler.set('vn 1', stateOf([vn(1)]));
    engine.refuse = ({ op }) => (op === 'VnDel' ? 'NVE-ENG-078' : undefined);
    await reconciler.set('vn 1', new Map());
    expect(engine.objects.has('vn 1')).toBe(true);
    engine.refuse = () => undefined;
    await reconciler.set('vn 9', stateOf([vn(9)]));
    expect(engine.objects.has('vn 1')).toBe(false);
  });

  it('has one batch in flight, and folds what changes meanwhile', async () => {
    let open: () => void = () => undefined;
    engine.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = reconciler.set('vn 1', stateOf([vn(1)]));
    await new Promise((resolve) => setImmediate(resolve));
    void reconciler.set('vn 2', stateOf([vn(2)]));
    void reconciler.set('vn 2', stateOf([vn(2), vap(2, 2, 100)]));
    const last = reconciler.set('vn 2', stateOf([vn(2), vap(2, 2, 101)]));
    open();
    await Promise.all([first, last]);
    expect(ops()).toEqual([['VnSet'], ['VnSet', 'VapSet']]);
  });

  it('takes a large change in pieces, in which nothing names what is not there', async () => {
    const many = (dest: Dest): EngineObject[] =>
      Array.from({ length: 3_000 }, (_, n) => ({
        op: 'FdbSet',
        vn: 1 as VnId,
        mac: `02:00:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}` as MacAddr,
        dest,
      }));
    await reconciler.set('vn 1', stateOf([vn(1), vap(1, 1, 100), ...many({ kind: 'vap', vap: 1 })]));
    await reconciler.set('vn 1', stateOf([vn(1), nh(2), ...many({ kind: 'nh', nh: 2 })]));
    expect(Math.max(...engine.batches.map((batch) => batch.length))).toBe(1_000);
    expect([...engine.objects.keys()].filter((key) => key.startsWith('vap'))).toEqual([]);
    // A VN that takes over tag and VNI of one that goes, in the same change.
    void reconciler.set('vn 1', new Map());
    await reconciler.set('vn 2', stateOf([vn(2, 5001), vap(2, 2, 100), row(2, 1, { kind: 'vap', vap: 2 })]));
    expect([...engine.objects.keys()].sort()).toEqual(['fdb 2 02:00:00:00:00:01', 'port 0', 'vap 2', 'vn 2']);
    expect(engine.violations).toEqual([]);
  });

  it('patches single objects of a scope', async () => {
    await reconciler.set(
      'vn 1',
      stateOf([vn(1), vap(1, 1, 100), row(1, 1, { kind: 'vap', vap: 1 }), row(1, 2, { kind: 'vap', vap: 1 })]),
    );
    engine.batches.length = 0;
    await reconciler.patch(
      'vn 1',
      new Map([
        [`fdb 1 ${mac(1)}`, null],
        [`fdb 1 ${mac(3)}`, row(1, 3, { kind: 'vap', vap: 1 })],
        ['fdb 1 not there', null],
      ]),
    );
    expect(ops()).toEqual([['FdbSet', 'FdbDel']]);
    await reconciler.set('vn 1', new Map());
    expect([...engine.objects.keys()]).toEqual(['port 0']);
  });

  it('stops when the engine fails, and says so once', async () => {
    engine.closed = true;
    const both = [reconciler.set('vn 1', stateOf([vn(1)])), reconciler.set('vn 2', stateOf([vn(2)]))];
    for (const set of both) await expect(set).rejects.toMatchObject({ code: 'NVE-ENG-000' });
    await expect(reconciler.set('vn 3', stateOf([vn(3)]))).rejects.toMatchObject({ code: 'NVE-ENG-000' });
    expect(failed).toHaveLength(1);
  });

  it('sends nothing after a stop, and waits for what is under way', async () => {
    let open: () => void = () => undefined;
    engine.gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const first = reconciler.set('vn 1', stateOf([vn(1)]));
    await new Promise((resolve) => setImmediate(resolve));
    void reconciler.set('vn 2', stateOf([vn(2)]));
    const stopped = reconciler.stop();
    open();
    await Promise.all([first, stopped]);
    engine.closed = true;
    await reconciler.set('vn 3', stateOf([vn(3)]));
    expect(ops()).toEqual([['VnSet']]);
    expect(failed).toEqual([]);
  });

  it('comes from any state to any other, whatever is refused on the way', async () => {
    const pick = fc.record({
      vids: fc.uniqueArray(fc.integer({ min: 100, max: 103 })),
      vni: fc.integer({ min: 5001, max: 5002 }),
      nhs: fc.uniqueArray(fc.integer({ min: 2, max: 5 })),
      rows: fc.uniqueArray(fc.record({ mac: fc.integer({ min: 1, max: 5 }), to: fc.nat(7) }), {
        selector: (r) => r.mac,
      }),
      floods: fc.boolean(),
      grouped: fc.boolean(),
      there: fc.boolean(),
    });
    type Pick = typeof pick extends fc.Arbitrary<infer T> ? T : never;
    // As the roles make them: ids of two VNs differ, a VAP has its tag for life; tags and VNIs collide.
    const build = (of: number, { vids, vni, nhs, rows, floods, grouped, there }: Pick): EngineState => {
      if (!there) return new Map();
      // As the roles make them: other members are another group.
      const groupId = of * 1000 + nhs.reduce((sum, id) => sum + (1 << id), 100);
      const dests: Dest[] = [
        ...vids.map((vid): Dest => ({ kind: 'vap', vap: of * 1000 + vid })),
        ...nhs.map((id): Dest => ({ kind: 'nh', nh: of * 1000 + id })),
        ...(grouped && nhs.length > 0 ? [{ kind: 'group', group: groupId } as const] : []),
      ];
      const remotes = dests.filter((dest) => dest.kind !== 'vap');
      return stateOf([
        vn(of, vni),
        ...vids.map((vid) => vap(of * 1000 + vid, of, vid)),
        ...nhs.map(
          (id): EngineObject => ({ ...(nh(id) as Extract<Command, { op: 'NextHopSet' }>), nh: of * 1000 + id }),
        ),
        ...(dests.length === 0 ? [] : rows.map((r) => row(of, r.mac, dests[r.to % dests.length]!))),
        ...(grouped && nhs.length > 0
          ? [group(groupId, ...nhs.map((id) => of * 1000 + id).sort((a, b) => a - b))]
          : []),
        ...(floods && nhs.length > 0 ? [{ op: 'FloodSet', vn: of as VnId, dests: remotes } as const] : []),
      ]);
    };
    const steps = fc.array(
      fc.record({
        of: fc.integer({ min: 1, max: 2 }),
        pick,
        refuse: fc.option(fc.constantFrom('NextHopSet', 'GroupSet', 'VapSet', 'FdbSet', 'FdbDel', 'VnSet', 'VapDel')),
      }),
      { minLength: 1, maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(steps, async (list) => {
        const fake = new FakeEngine();
        const tested = new Reconciler(fake, silentLog().log, (error) => failed.push(error));
        await tested.set('base', stateOf([port(0)]));
        const wanted = new Map<number, EngineState>();
        for (const step of list) {
          fake.refuse = ({ op }) => (op === step.refuse ? 'NVE-ENG-077' : undefined);
          const state = build(step.of, step.pick);
          wanted.set(step.of, state);
          await tested.set(`vn ${step.of}`, state);
          // Whatever was refused: never more than the device's refusal, never a reference to what is not there.
          for (const batch of fake.batches.splice(0))
            expect(new Set(batch.map(({ op }) => op)).size).toBeGreaterThan(0);
        }
        // It never asks for what the rules forbid: whatever was refused, a device refused.
        expect(fake.violations).toEqual([]);
        fake.refuse = () => undefined;
        // Now two states that can be at the same time: the VNs may have swapped their VNIs, no tag is shared.
        const last = { ...list[0]!.pick, there: true };
        for (const of of [1, 2])
          wanted.set(
            of,
            build(of, { ...last, vni: of === 1 ? last.vni : 10_003 - last.vni, vids: of === 1 ? last.vids : [] }),
          );
        await Promise.all([1, 2].map((of) => tested.set(`vn ${of}`, wanted.get(of) ?? new Map())));
        const left = stateOf([port(0), ...[1, 2].flatMap((of) => [...(wanted.get(of)?.values() ?? [])])]);
        expect(Object.fromEntries(fake.objects)).toEqual(Object.fromEntries(left));
        expect(Object.fromEntries(tested.actual)).toEqual(Object.fromEntries(left));
        for (const key of left.keys()) expect(tested.condition(key)).toBeUndefined();
      }),
      { numRuns: 300 },
    );
    expect(failed).toEqual([]);
  });
});

it('says nothing of what changed while a batch was under way: its own pass has what it needs', async () => {
  await reconciler.set('vn', stateOf([port(0), vn(1), vap(1, 1, 10)]));
  let open = (): void => undefined;
  engine.gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const first = reconciler.set('rows', stateOf([row(1, 1, { kind: 'vap', vap: 1 })]));
  await new Promise((resolve) => setImmediate(resolve));
  // The MAC has moved behind a next hop that is new.
  const second = reconciler.set('rows', stateOf([row(1, 1, { kind: 'nh', nh: 7 })]));
  void reconciler.set('ways', stateOf([nh(7)]));
  open();
  await first;
  expect(reconciler.condition(`fdb 1 ${mac(1)}`)).toBeUndefined();
  await second;
  expect(engine.objects.get(`fdb 1 ${mac(1)}`)).toMatchObject({ dest: { kind: 'nh', nh: 7 } });
  expect(lines.filter(({ level }) => level > 30)).toEqual([]);
});
