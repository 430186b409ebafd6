// The path of a tenant's frame through every kind of port that the demo uses, four engines long:
//
//   tap ─ tNVE 1 ═ veth, C-TAGs ═ agent 1 ═ veth, VXLAN ═ agent 2 ═ veth, C-TAGs ═ tNVE 2 ─ tap        ═ net_af_xdp at both ends
//
// Each VN has one tap on either side. The commands are written out here: no role, no NVA.
import type { Command, EngineOptions, PortId } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import type { EngineProcess } from './engine.js';
import type { Lab } from './lab.js';
import type { RawSocket } from './raw.js';

/** Ports of an engine; taps come after these. */
export const PORT = { link: 0, underlay: 1, tap: 2 } as const;
/** The side of tNVE 1 and agent 1 is 0, that of tNVE 2 and agent 2 is 1. */
export const SIDES = [0, 1] as const;
export type Side = (typeof SIDES)[number];

export interface Side0And1<T> {
  readonly 0: T;
  readonly 1: T;
}

/** A VN as it is named on the way. Ids of VAPs and next hops are made from `id`. */
export interface ChainVn {
  readonly id: number;
  /** The C-TAG on each side's access link. */
  readonly tag: Side0And1<number>;
  /** The Context ID under which each side's agent receives. */
  readonly vni: Side0And1<number>;
  /** The tenant's port of each side's tNVE. */
  readonly tap: Side0And1<PortId>;
  readonly mtu?: number;
}

export interface ChainOptions {
  /** MTU of taps and access links. */
  readonly mtu?: number;
  /** MTU of the underlay. */
  readonly underlayMtu?: number;
  readonly engine?: Partial<EngineOptions>;
}

/** The tenant behind each side's taps, the same in every VN. */
export const TENANT: Side0And1<string> = { 0: '02:00:00:00:00:01', 1: '02:00:00:00:00:02' };
const UNDERLAY: Side0And1<string> = { 0: '192.0.2.1', 1: '192.0.2.2' };

export class Chain {
  readonly tnve: Side0And1<EngineProcess>;
  readonly agent: Side0And1<EngineProcess>;
  readonly #lab: Lab;

  static async create(lab: Lab, options: ChainOptions = {}): Promise<Chain> {
    const { mtu = 1500, underlayMtu = 1600 } = options;
    const [host0, nve0, nve1, host1] = await Promise.all(
      ['host0', 'nve0', 'nve1', 'host1'].map((name) => lab.namespace(name)),
    );
    await lab.veth({ namespace: host0!, iface: 'uplink' }, { namespace: nve0!, iface: 'access' });
    await lab.veth({ namespace: nve0!, iface: 'under' }, { namespace: nve1!, iface: 'under' });
    await lab.veth({ namespace: nve1!, iface: 'access' }, { namespace: host1!, iface: 'uplink' });
    const [tnve0, agent0, agent1, tnve1] = await Promise.all([
      lab.engine('tNVE 0', host0!, options.engine),
      lab.engine('agent 0', nve0!, options.engine),
      lab.engine('agent 1', nve1!, options.engine),
      lab.engine('tNVE 1', host1!, options.engine),
    ]);
    const chain = new Chain(lab, { 0: tnve0!, 1: tnve1! }, { 0: agent0!, 1: agent1! });
    for (const side of SIDES) {
      await chain.tnve[side].must(xdpPort(PORT.link, 'uplink', mtu));
      const underlay = { op: 'UnderlaySet', port: PORT.underlay, ip: UNDERLAY[side] as IpAddr, prefixLen: 24 } as const;
      await chain.agent[side].must(
        xdpPort(PORT.link, 'access', mtu),
        xdpPort(PORT.underlay, 'under', underlayMtu),
        underlay,
      );
    }
    return chain;
  }

  private constructor(lab: Lab, tnve: Side0And1<EngineProcess>, agent: Side0And1<EngineProcess>) {
    this.#lab = lab;
    this.tnve = tnve;
    this.agent = agent;
  }

  get engines(): EngineProcess[] {
    return [this.tnve[0], this.agent[0], this.agent[1], this.tnve[1]];
  }

  /** A tap of a tNVE, with a raw socket on the kernel's end. */
  async tap(side: Side, port: PortId, mtu = 1500): Promise<RawSocket> {
    const { namespace } = this.tnve[side];
    const iface = `tap${port}`;
    await this.tnve[side].must({
      op: 'PortAdd',
      port,
      name: iface,
      mtu,
      kind: { driver: 'net_tap', iface, mac: null },
    });
    await namespace.ip(`link set ${iface} up`);
    return this.#lab.raw().socket(namespace, iface);
  }

  /** Makes VNs, from the egress to the ingress so that the first frame that is let in finds the whole way. */
  async make(...vns: ChainVn[]): Promise<void> {
    await Promise.all(SIDES.map((side) => this.agent[side].must(...vns.flatMap((vn) => agentCommands(vn, side)))));
    await Promise.all(SIDES.map((side) => this.tnve[side].must(...vns.flatMap((vn) => tnveCommands(vn, side)))));
    await Promise.all(SIDES.map((side) => this.agent[side].resolved()));
  }
}

export function xdpPort(port: PortId, iface: string, mtu: number): Command {
  return { op: 'PortAdd', port, name: iface, mtu, kind: { driver: 'net_af_xdp', iface } };
}

/** VAPs of a VN: towards its tenant, and (on a tNVE) towards the agent. */
export function vapsOf(id: number): { tenant: number; uplink: number } {
  return { tenant: 2 * id, uplink: 2 * id + 1 };
}

/** What a tNVE is told of a VN: the tap's frames go out tagged, and back. */
export function tnveCommands({ id, tag, tap, mtu = 1500 }: ChainVn, side: Side): Command[] {
  const vn = id as VnId;
  const { tenant, uplink } = vapsOf(id);
  const selector = { kind: 'c-tag', vid: tag[side] as Vid } as const;
  return [
    { op: 'VnSet', vn, vni: null, mtu: mtu as Mtu },
    { op: 'VapSet', vap: tenant, vn, port: tap[side], selector: { kind: 'untagged' }, guard: true, uplink: false },
    { op: 'VapSet', vap: uplink, vn, port: PORT.link, selector, guard: false, uplink: true },
    { op: 'FdbSet', vn, mac: TENANT[side] as MacAddr, dest: { kind: 'vap', vap: tenant } },
  ];
}

/** The reverse; rows go with the VN. */
export function tnveDeletion({ id }: ChainVn): Command[] {
  const { tenant, uplink } = vapsOf(id);
  return [
    { op: 'VapDel', vap: tenant },
    { op: 'VapDel', vap: uplink },
    { op: 'VnDel', vn: id as VnId },
  ];
}

/** What an agent is told of a VN. */
export function agentCommands({ id, tag, vni, mtu = 1500 }: ChainVn, side: Side): Command[] {
  const there = side === 0 ? 1 : 0;
  const vn = id as VnId;
  const vap = vapsOf(id).tenant;
  const remote = UNDERLAY[there] as IpAddr;
  const selector = { kind: 'c-tag', vid: tag[side] as Vid } as const;
  return [
    { op: 'VnSet', vn, vni: vni[side] as Vni, mtu: mtu as Mtu },
    { op: 'VapSet', vap, vn, port: PORT.link, selector, guard: true, uplink: false },
    { op: 'NextHopSet', nh: id, remote, encap: 1, contextId: vni[there] },
    { op: 'FdbSet', vn, mac: TENANT[side] as MacAddr, dest: { kind: 'vap', vap } },
    { op: 'FdbSet', vn, mac: TENANT[there] as MacAddr, dest: { kind: 'nh', nh: id } },
    { op: 'FloodSet', vn, dests: [{ kind: 'nh', nh: id }] },
    { op: 'SourcesSet', vn, ips: [remote] },
  ];
}

export function agentDeletion({ id }: ChainVn): Command[] {
  return [
    { op: 'VapDel', vap: vapsOf(id).tenant },
    { op: 'VnDel', vn: id as VnId },
    { op: 'NextHopDel', nh: id },
  ];
}
