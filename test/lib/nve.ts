// One agent's engine with raw sockets at the far end of each of its ports: every frame that it gets is a test's, and every frame that it
// gives is seen.
//
//   raw socket ─ veth ═ port 0, C-TAG 100 blue, 200 red ┐
//   raw socket ─ tap  ─ port 2, untagged        green   ┤ engine ├ port 1, underlay ═ veth ─ raw socket, playing NVE 192.0.2.2
import type { Command, EngineOptions } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import { xdpPort } from './chain.js';
import { type EngineProcess, grown } from './engine.js';
import { arp, inner, vxlan } from './frames.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import type { RawSocket, TakeOptions } from './raw.js';

export const HERE = '02:00:00:00:00:01';
export const THERE = '02:00:00:00:00:02';
export const NVE = '192.0.2.1';
/** The NVE that the underlay's raw socket plays. */
export const PEER = { ip: '192.0.2.2', mac: '02:ee:00:00:00:02' } as const;
export const PORTS = { access: 0, underlay: 1, tap: 2 } as const;
export type PortName = keyof typeof PORTS;

/** The VNs, all with the same tenant addresses. */
export const VNS = {
  blue: { id: 1, vni: 5001, port: 'access', vid: 100 },
  red: { id: 2, vni: 5002, port: 'access', vid: 200 },
  green: { id: 3, vni: 5003, port: 'tap', vid: null },
} as const;
export type VnName = keyof typeof VNS;

export interface NveOptions {
  /** MTU of the VNs on the access link; the tap's VN has 1500. */
  readonly mtu: number;
  readonly accessMtu: number;
  readonly underlayMtu: number;
  readonly engine?: Partial<EngineOptions>;
}

/** What moved during a test: frames by port, drops by port and reason. */
export interface Effects {
  readonly received: Record<string, number>;
  readonly sent: Record<string, number>;
  readonly drops: Record<string, number>;
}

export class Nve {
  readonly engine: EngineProcess;
  readonly outside: Namespace;
  readonly sockets: Readonly<Record<PortName, RawSocket>>;
  /** The MAC of the underlay port. */
  readonly mac: string;

  static async create(lab: Lab, { mtu, accessMtu, underlayMtu, engine: options }: NveOptions): Promise<Nve> {
    const [nve, outside] = [await lab.namespace('nve'), await lab.namespace('outside')];
    // The far ends take more than ours: a frame that is too long is to be refused by the engine, not by the sender's kernel.
    await lab.veth({ namespace: nve, iface: 'access' }, { namespace: outside, iface: 'access', mtu: 3500 });
    await lab.veth({ namespace: nve, iface: 'under' }, { namespace: outside, iface: 'under', mtu: 3500 });
    const engine = await lab.engine('agent', nve, options);
    await engine.must(
      xdpPort(PORTS.access, 'access', accessMtu),
      xdpPort(PORTS.underlay, 'under', underlayMtu),
      { op: 'PortAdd', port: PORTS.tap, name: 'tap', mtu: 1500, kind: { driver: 'net_tap', iface: 'tap0', mac: null } },
      { op: 'UnderlaySet', port: PORTS.underlay, ip: NVE as IpAddr, prefixLen: 24 },
      ...Object.values(VNS).flatMap((vn) => vnCommands(vn, vn.port === 'tap' ? 1500 : mtu)),
    );
    await nve.ip(`link set tap0 netns ${outside.pid}`);
    await outside.ip('link set tap0 up');
    const raw = lab.raw();
    const sockets = {
      access: await raw.socket(outside, 'access'),
      underlay: await raw.socket(outside, 'under'),
      tap: await raw.socket(outside, 'tap0'),
    };
    const row = (await engine.dump('ports')).find(({ port }) => port === PORTS.underlay);
    const made = new Nve(engine, outside, sockets, `${row?.mac}`);
    await made.settle();
    return made;
  }

  private constructor(engine: EngineProcess, outside: Namespace, sockets: Record<PortName, RawSocket>, mac: string) {
    this.engine = engine;
    this.outside = outside;
    this.sockets = sockets;
    this.mac = mac;
  }

  /** The peer says where it is, so that it is not asked for half a minute, and what was heard so far is forgotten. */
  async settle(): Promise<void> {
    await this.sockets.underlay.send([arp('reply', PEER, { mac: this.mac, ip: NVE })]);
    await this.engine.resolved();
    for (const socket of Object.values(this.sockets)) await socket.take();
  }

  /** A frame in a packet from the peer. */
  tunnelled(vn: VnName, frame: Buffer, changes: Partial<Parameters<typeof vxlan>[0]> = {}): Buffer {
    const tunnel = { to: this.mac, from: PEER.mac, source: PEER.ip, target: NVE, vni: VNS[vn].vni, ...changes };
    return vxlan(tunnel, frame);
  }

  /** Does something after which `received` frames have come in, and tells everything that moved. */
  async effects(received: number, act: () => Promise<void>): Promise<Effects> {
    const before = await this.#counters();
    await act();
    let after = await this.#counters();
    // The counters of frames that come in and of what became of them are read a moment apart: until two readings agree.
    for (let tries = 0; tries < 200; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 4));
      const again = await this.#counters();
      const total = sum(grown(before.received, again.received));
      if (total >= received && JSON.stringify(again) === JSON.stringify(after)) break;
      after = again;
    }
    return {
      received: grown(before.received, after.received),
      sent: grown(before.sent, after.sent),
      drops: grown(before.drops, after.drops),
    };
  }

  async #counters(): Promise<Effects> {
    const { ports, drops } = await this.engine.stats();
    const name = (port: number): string => Object.entries(PORTS).find(([, id]) => id === port)?.[0] ?? `${port}`;
    const byPort = (count: 'rxPackets' | 'txPackets'): Record<string, number> =>
      Object.fromEntries(ports.map((row) => [name(row.port), row[count]]));
    const lost = ports.flatMap(({ port, rxMissed, rxErrors }) => [
      [`${name(port)} rx_missed`, rxMissed] as const,
      [`${name(port)} rx_errors`, rxErrors] as const,
    ]);
    const dropped = drops.map(({ port, reason, packets }) => [`${name(port)} ${reason}`, packets] as const);
    return {
      received: byPort('rxPackets'),
      sent: byPort('txPackets'),
      drops: Object.fromEntries([...lost, ...dropped]),
    };
  }

  /** What the engine has sent into the tunnel since the last time: VNI and frame. */
  async encapsulated(options: TakeOptions): Promise<{ vni: number; frame: Buffer }[]> {
    const packets = await this.sockets.underlay.take(options);
    return packets.map((packet) => {
      const carried = inner(packet);
      if (carried === undefined) throw new Error(`not VXLAN: ${packet.toString('hex')}`);
      return { vni: carried.vni, frame: carried.frame };
    });
  }
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}

function vnCommands({ id, vni, port, vid }: (typeof VNS)[VnName], mtu: number): Command[] {
  const vn = id as VnId;
  const selector =
    vid === null ? ({ kind: 'untagged' } as const) : ({ kind: 'c-tag', vid: vid as number as Vid } as const);
  return [
    { op: 'VnSet', vn, vni: vni as number as Vni, mtu: mtu as Mtu },
    { op: 'VapSet', vap: id, vn, port: PORTS[port], selector, guard: true, uplink: false },
    { op: 'NextHopSet', nh: id, remote: PEER.ip as string as IpAddr, encap: 1, contextId: vni },
    { op: 'FdbSet', vn, mac: HERE as MacAddr, dest: { kind: 'vap', vap: id } },
    { op: 'FdbSet', vn, mac: THERE as MacAddr, dest: { kind: 'nh', nh: id } },
    { op: 'FloodSet', vn, dests: [{ kind: 'nh', nh: id }] },
    { op: 'SourcesSet', vn, ips: [PEER.ip as string as IpAddr] },
  ];
}
