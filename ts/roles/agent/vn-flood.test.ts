import { describe, expect, it } from 'vitest';
import type { PortId, RemoteDest } from '#dataplane';
import type { Delivery, IpAddr, NveId, TunnelEnd, VnInfo } from '#model';
import type { MemberView, VnView } from '#nva';
import type { EngineObject } from '../engine/objects.js';
import { Ids } from './ids.js';
import { wayTo } from './nve-ways.js';
import type { Sending } from './underlay.js';
import { type FloodInput, floodOf } from './vn-flood.js';

const VNI = 5001;
const blue = { vn: 1, name: 'blue', vni: VNI, mtu: 1500, gateway: null } as unknown as VnInfo;
const SELF = 'nve1' as NveId;
const GROUP = '239.1.1.1' as IpAddr;
const GROUP_6 = 'ff05::1' as IpAddr;
const VXLAN = 1;
const GENEVE = 2;
const HEAD_END: Delivery = { kind: 'head-end' };
const to = (group: IpAddr): Delivery => ({ kind: 'multicast', group });
const end = (ip: string, encap = VXLAN): TunnelEnd => ({ encap, ip: ip as IpAddr });
const TUNNEL = { ttl: 64, df: 'set', dscp: 0, ecn: 'standard', pcp: 0, ports: [49_152, 65_535] };

const member = (nveId: string, tunnels: TunnelEnd[], contextId = VNI): MemberView =>
  ({ nveId, contextId, tunnels }) as unknown as MemberView;

interface Case {
  readonly members: readonly MemberView[];
  readonly nodes?: readonly MemberView[];
  readonly sent: Delivery;
  readonly heard?: readonly Delivery[];
  readonly groupPorts?: readonly (readonly [4 | 6, PortId])[];
  readonly encaps?: readonly number[];
}

/** Where broadcast goes, as remotes with their ports and encapsulations, and what is joined. */
function flooded({ members, nodes = [], sent, heard = [sent], groupPorts = [[4, 7]], encaps = [VXLAN, GENEVE] }: Case) {
  const sending = { families: new Set([4, 6]), encaps, tunnel: TUNNEL, groupPorts: new Map(groupPorts) };
  const way: FloodInput['way'] = { vn: blue.vn, ids: new Ids(), sending: sending as unknown as Sending };
  const objects: EngineObject[] = [];
  const others = members.filter(({ nveId }) => nveId !== SELF);
  const ways = new Map(others.map((one) => [one.nveId, wayTo(way, one.tunnels, one.contextId, objects)] as const));
  const byId = (all: readonly MemberView[]) => new Map(all.map((one) => [one.nveId, one]));
  const view = { info: blue, members: byId(members), nves: byId(nodes) } as unknown as VnView;
  const sources = new Set<IpAddr>();
  const dests = floodOf({ info: blue, view, self: SELF, delivery: { sent, heard }, way }, ways, sources, objects);
  const remoteOf = (dest: RemoteDest): string => {
    const nh = objects.find((one) => one.op === 'NextHopSet' && dest.kind === 'nh' && one.nh === dest.nh);
    if (nh?.op !== 'NextHopSet') return JSON.stringify(dest);
    return [nh.remote, nh.encap, nh.contextId, ...(nh.options?.port === undefined ? [] : [nh.options.port])].join(' ');
  };
  const joined = objects.flatMap((one) => (one.op === 'McastSet' ? [`${one.group} ${one.port}`] : []));
  const reached = objects.flatMap((one) => (one.op === 'NextHopSet' ? [one.remote as string] : []));
  return { flood: dests.map(remoteOf), joined, sources: [...sources], reached };
}

const TWO = [member('nve2', [end('192.0.2.2')]), member('nve3', [end('192.0.2.3'), end('2001:db8::3')])];

describe('a group', () => {
  it('gets one copy, at the port of its family, and is joined there', () => {
    expect(flooded({ members: TWO, sent: to(GROUP) })).toMatchObject({
      flood: [`${GROUP} 1 ${VNI} 7`],
      joined: [`${GROUP} 7`],
      sources: [],
    });
    expect(flooded({ members: [], sent: to(GROUP) })).toMatchObject({ flood: [], joined: [`${GROUP} 7`] });
  });

  it('is heard while it is not sent to yet, and its next hop is there', () => {
    expect(flooded({ members: TWO.slice(0, 1), sent: HEAD_END, heard: [to(GROUP), HEAD_END] })).toMatchObject({
      flood: [`192.0.2.2 1 ${VNI}`],
      joined: [`${GROUP} 7`],
      reached: ['192.0.2.2', GROUP],
    });
    expect(flooded({ members: TWO.slice(0, 1), sent: HEAD_END, heard: [HEAD_END, to(GROUP)] }).joined).toEqual([
      `${GROUP} 7`,
    ]);
  });

  it('and a copy for each NVE without an end of its family', () => {
    const groupPorts = [
      [4, 7],
      [6, 8],
    ] as const;
    expect(flooded({ members: TWO, sent: to(GROUP_6), groupPorts })).toMatchObject({
      flood: [`${GROUP_6} 1 ${VNI} 8`, `192.0.2.2 1 ${VNI}`],
      joined: [`${GROUP_6} 8`],
    });
    expect(flooded({ members: TWO.slice(0, 1), sent: to(GROUP_6), groupPorts }).flood).toEqual([`192.0.2.2 1 ${VNI}`]);
  });

  it('is sent to by an encapsulation that all take, the one that is liked best', () => {
    const both = [end('192.0.2.2'), end('192.0.2.2', GENEVE)];
    const encaps = [GENEVE, VXLAN];
    expect(flooded({ members: [member('nve2', both)], sent: to(GROUP), encaps }).flood).toEqual([
      `${GROUP} 2 ${VNI} 7`,
    ]);
    const unlike = [member('nve2', both), member('nve3', [end('192.0.2.3')])];
    expect(flooded({ members: unlike, sent: to(GROUP), encaps }).flood).toEqual([`${GROUP} 1 ${VNI} 7`]);
    const none = [member('nve2', [end('192.0.2.2', GENEVE)]), member('nve3', [end('192.0.2.3')])];
    expect(flooded({ members: none, sent: to(GROUP), encaps })).toMatchObject({
      flood: [`192.0.2.2 2 ${VNI}`, `192.0.2.3 1 ${VNI}`],
      joined: [`${GROUP} 7`],
    });
  });

  it('is nobody’s if one receives the VN under another number: it would be another VN’s there', () => {
    const other = [...TWO.slice(0, 1), member('nve3', [end('192.0.2.3')], 9)];
    expect(flooded({ members: other, sent: to(GROUP) })).toMatchObject({
      flood: [`192.0.2.2 1 ${VNI}`, '192.0.2.3 1 9'],
      joined: [`${GROUP} 7`],
    });
    const self = [...TWO, member('nve1', [end('192.0.2.1')], 9)];
    expect(flooded({ members: self, sent: to(GROUP) }).joined, 'nor joined by that one').toEqual([]);
  });

  it('of a family that the underlay lacks is neither joined nor sent to', () => {
    expect(flooded({ members: TWO, sent: to(GROUP_6) })).toMatchObject({
      flood: [`192.0.2.2 1 ${VNI}`, expect.any(String)],
      joined: [],
    });
  });
});

it('a replication node may send as long as it is heard, and is found before it is sent to', () => {
  const node: Delivery = { kind: 'node', nveId: 'node' as NveId };
  const nodes = [member('node', [end('192.0.2.9')])];
  const group = to(GROUP);
  expect(flooded({ members: TWO.slice(0, 1), nodes, sent: group, heard: [node, group] })).toMatchObject({
    flood: [`${GROUP} 1 ${VNI} 7`],
    joined: [`${GROUP} 7`],
    sources: ['192.0.2.9'],
    reached: ['192.0.2.2', '192.0.2.9', GROUP],
  });
  expect(flooded({ members: TWO.slice(0, 1), nodes, sent: node }).flood).toEqual([`192.0.2.9 1 ${VNI}`]);
});
