import { expect, it } from 'vitest';
import { DEFAULT_VN_SETTINGS, type HostInfo, type IpAddr, type MacAddr, type NveId, type VnInfo } from '#model';
import type { MappingChange, MemberView, VnView } from '#nva';
import { Reconciler } from '../engine/reconciler.js';
import { FakeEngine } from '../testing/fake-engine.js';
import { silentLog } from '../testing/silent.js';
import { Ids } from './ids.js';
import { LEARNED_AGE_S, type LocalRow, LocalVn } from './local-vn.js';
import { RemoteMacs } from './remote-macs.js';

const settings = { ...DEFAULT_VN_SETTINGS, learn: true };
const blue = { vn: 1, name: 'blue', vni: 5001, mtu: 1500, gateway: null, settings } as unknown as VnInfo;
const { vn } = blue;
const A = '02:00:00:00:00:0a' as MacAddr;
const B = '02:00:00:00:00:0b' as MacAddr;
const [MEMBER, STRANGER] = ['192.0.2.2', '192.0.2.9'] as [IpAddr, IpAddr];
const host = (mac: MacAddr, nveId: string) => ({ vn, mac, nveId, ips: [], mobilitySeq: 0 }) as unknown as HostInfo;

class Rig {
  readonly engine = new FakeEngine();
  readonly local = new LocalVn(blue);
  readonly hosts = new Map<MacAddr, HostInfo>();
  readonly members = new Map<NveId, MemberView>();
  readonly moved: MacAddr[] = [];
  readonly macs: RemoteMacs;
  readonly #reconciler = new Reconciler(this.engine, silentLog().log, () => undefined);

  constructor() {
    const tunnels = [{ encap: 1, ip: MEMBER }];
    this.members.set('nve2' as NveId, { nveId: 'nve2', contextId: 7002, tunnels } as unknown as MemberView);
    const { hosts, members, moved } = this;
    const view: VnView = { info: blue, members, nves: new Map(), hosts, homes: new Map(), live: true, revision: 1n };
    const ids = new Ids();
    this.macs = new RemoteMacs({
      log: silentLog().log,
      self: 'nve1' as NveId,
      reconciler: this.#reconciler,
      vnOf: () => this.local,
      viewOf: () => view,
      nextHop: (of, remote, contextId) => ids.learnedNextHop(of, remote, contextId),
      moved: (_vn, macs) => moved.push(...macs),
    });
    void this.#reconciler.set('vn 1', new Map([['vn 1', { op: 'VnSet', vn, vni: blue.vni, mtu: blue.mtu }]]));
    this.changed({ members: { set: [...members.values()], removed: [] } });
  }

  seen(mac: MacAddr, remote: IpAddr): void {
    this.macs.seen({ kind: 'learned_remote', vn, mac, remote });
  }

  changed(change: Partial<MappingChange>): void {
    const none = { set: [], removed: [] };
    this.macs.mappingChanged({
      vn,
      info: undefined,
      members: none,
      hosts: none,
      revision: 1n,
      synced: true,
      ...change,
    });
  }

  /** MACs and where their rows lead, and the next hops that there are. */
  async state(): Promise<{ rows: unknown[]; remotes: unknown[] }> {
    await this.#reconciler.set('nothing', new Map());
    const objects = [...this.engine.objects.values()];
    const hops = objects.flatMap((object) => (object.op === 'NextHopSet' ? [object] : []));
    const remoteOf = (nh: number) => hops.find((hop) => hop.nh === nh)?.remote;
    const rows = objects.flatMap((object) =>
      object.op === 'FdbSet' && object.dest.kind === 'nh' ? [[object.mac, remoteOf(object.dest.nh), object.ageS]] : [],
    );
    expect(this.engine.violations).toEqual([]);
    return { rows, remotes: hops.map(({ remote, contextId }) => [remote, contextId]) };
  }
}

it('makes an ageing row of what is seen, and a next hop to who sent it, under the Context ID that it receives', async () => {
  const rig = new Rig();
  rig.seen(A, MEMBER);
  rig.seen(B, STRANGER);
  expect(await rig.state()).toEqual({
    rows: [
      [A, MEMBER, LEARNED_AGE_S],
      [B, STRANGER, LEARNED_AGE_S],
    ],
    remotes: [
      [MEMBER, 7002],
      [STRANGER, 5001],
    ],
  });
  rig.seen(B, MEMBER);
  expect((await rig.state()).rows).toContainEqual([B, MEMBER, LEARNED_AGE_S]);
  expect((await rig.state()).remotes).toEqual([[MEMBER, 7002]]);
  rig.macs.aged(vn, A);
  rig.macs.aged(vn, B);
  expect(await rig.state()).toEqual({ rows: [], remotes: [] });
});

it('leaves what a TSI or the NVA names alone, and takes back what they name later', async () => {
  const rig = new Rig();
  rig.hosts.set(A, host(A, 'nve3'));
  rig.local.rows.set(B, { isLearned: false } as LocalRow);
  rig.seen(A, MEMBER);
  rig.seen(B, MEMBER);
  expect((await rig.state()).rows).toEqual([]);
  rig.hosts.clear();
  rig.local.rows.clear();
  rig.seen(A, MEMBER);
  rig.seen(B, MEMBER);
  rig.changed({ hosts: { set: [host(A, 'nve3')], removed: [] } });
  rig.macs.claimed(vn, [B]);
  expect(await rig.state()).toEqual({ rows: [], remotes: [] });
});

it('a MAC that was learned at a VAP here has moved', async () => {
  const rig = new Rig();
  rig.local.rows.set(A, { isLearned: true } as LocalRow);
  rig.seen(A, MEMBER);
  expect(rig.moved).toEqual([A]);
  expect((await rig.state()).rows).toEqual([[A, MEMBER, LEARNED_AGE_S]]);
});

it('what was learned behind an NVE goes with it, and all with the VN’s learning', async () => {
  const rig = new Rig();
  rig.seen(A, MEMBER);
  rig.seen(B, STRANGER);
  rig.members.clear();
  rig.changed({ members: { set: [], removed: ['nve2' as NveId] } });
  expect((await rig.state()).rows).toEqual([[B, STRANGER, LEARNED_AGE_S]]);
  rig.changed({ info: { ...blue, settings: DEFAULT_VN_SETTINGS } });
  expect(await rig.state()).toEqual({ rows: [], remotes: [] });
  rig.local.info = { ...blue, settings: DEFAULT_VN_SETTINGS };
  rig.seen(A, MEMBER);
  expect((await rig.state()).rows).toEqual([]);
});
