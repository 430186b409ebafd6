// Churn inside one engine at full speed: millions of frames a second meet every moment of a table change.
//
//   port 0   net_pcap, endless: frames of every VN, C-TAG 100 + n            ┐
//   port 1   net_pcap, endless: VXLAN packets of every VN, VNI 7000 + n      ┤ engine ├ 10 + n  net_pcap: VN n's local tenant
//            from an NVE that every VN admits                                ┘        └ 20 + n  net_pcap: the link to VN n's remote NVE
//
// A frame's length says which VN it belongs to, and every port that sends carries frames of one VN only: a single frame of another VN among
// millions leaves its bytes and packets in the wrong proportion. (A shorter one and a longer one could make up for each other, but not at the
// ports of the shortest and the longest.) Everything between ports and VNs (ids of VNs, VAPs and next hops, the
// engine's own indices) is thrown away and made again, over and over, in one batch or in two.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Command, PortId, PortStats } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, Vid, VnId, Vni } from '#model';
import type { EngineProcess } from './engine.js';
import { BROADCAST, content, ETHERTYPE, ethernet, tagged, vxlan } from './frames.js';
import type { Lab } from './lab.js';
import { writePcap } from './pcap.js';
import type { Random } from './random.js';

const COUNT = 4;
const VNS = Array.from({ length: COUNT }, (_, n) => n);
const SENDER = '02:00:00:00:00:01';
const LOCAL = '02:00:00:00:00:02';
const REMOTE = '02:00:00:00:00:03';
const PEER_MAC = '02:ee:00:00:00:09';
/** Who sends the tunnelled packets, and to whom. */
const TUNNEL = { from: '203.0.113.9', to: '203.0.113.1' };
const OVERHEAD = 50;
const IDS = [1, 2, 3, 4, 5, 6, 7, 8];

/** The length of every frame of VN `n`, untagged. */
const lengthOf = (n: number): number => 100 + 64 * n;
const sink = (n: number): PortId => 10 + n;
const link = (n: number): PortId => 20 + n;
const linkAddress = (n: number, host: number): string => `198.51.${100 + n}.${host}`;

/** The ids of a VN and of its next hop. VAPs have theirs from the VN's. */
interface Numbers {
  readonly id: number;
  readonly nh: number;
}

/** What a port has sent, where a frame of a foreign VN must be among it. */
export interface Mixture {
  readonly port: PortId;
  readonly packets: number;
  readonly bytes: number;
  /** What they would be if all were of the port's VN. */
  readonly expected: number;
}

export class Flood {
  readonly engine: EngineProcess;
  rounds = 0;
  /** What the ports had sent before the traffic. */
  readonly #before: ReadonlyMap<PortId, PortStats>;
  readonly #up = new Map<number, Numbers>();

  static async create(lab: Lab): Promise<Flood> {
    const folder = mkdtempSync(path.join(tmpdir(), 'splitnve-flood-'));
    lab.add({ close: async () => rmSync(folder, { recursive: true }) });
    const engine = await lab.engine('flood', await lab.namespace('flood'));
    for (const n of VNS) await addOutputs(engine, n, path.join(folder, `link${n}`));
    const ports = await engine.dump('ports');
    const before = new Map((await engine.stats()).ports.map((row) => [row.port, row]));
    await addSources(engine, folder, `${ports.at(-1)?.mac}`);
    return new Flood(engine, before);
  }

  private constructor(engine: EngineProcess, before: ReadonlyMap<PortId, PortStats>) {
    this.engine = engine;
    this.#before = before;
  }

  /** Rounds for a while; the ports at which a frame of another VN was seen. */
  async run(random: Random, milliseconds: number): Promise<Mixture[]> {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) await this.round(random);
    return this.mixtures();
  }

  /** Some VNs go and come again, or keep only their next hops from going: in one batch under free numbers, or in two under each other's. */
  async round(random: Random): Promise<void> {
    const vns = random.shuffled(VNS).slice(0, 1 + random.below(COUNT));
    if (vns.every((n) => this.#up.has(n)) && random.below(3) === 0) await this.#moveNextHops(vns, random);
    else await this.#makeAgain(vns, random);
    this.rounds += 1;
  }

  async #makeAgain(vns: readonly number[], random: Random): Promise<void> {
    const going = vns.filter((n) => this.#up.has(n));
    const deletions = going.flatMap((n) => deletion(this.#up.get(n)!));
    const inOneBatch = random.below(2) === 0;
    if (!inOneBatch) {
      await this.engine.must(...random.shuffled(deletions));
      for (const n of going) this.#up.delete(n);
    }
    const [ids, nhs] = [this.#free(({ id }) => id, random), this.#free(({ nh }) => nh, random)];
    for (const n of vns) this.#up.set(n, { id: ids.pop()!, nh: nhs.pop()! });
    const creations = vns.flatMap((n) => creation(n, this.#up.get(n)!));
    await this.engine.must(...random.shuffled(inOneBatch ? [...deletions, ...creations] : creations));
  }

  /** All VNs' rows move to next hops that are new, over and over: no frame needs to be lost. */
  async moveNextHops(random: Random, milliseconds: number): Promise<void> {
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      await this.#moveNextHops([...this.#up.keys()], random);
      this.rounds += 1;
    }
  }

  /** The rows move to next hops that are new, the old ones go, all in one batch. */
  async #moveNextHops(vns: readonly number[], random: Random): Promise<void> {
    const nhs = this.#free(({ nh }) => nh, random);
    const commands = vns.flatMap((n): Command[] => {
      const { id, nh: old } = this.#up.get(n)!;
      const nh = nhs.pop()!;
      this.#up.set(n, { id, nh });
      return [...nextHop(n, { id, nh }), { op: 'NextHopDel', nh: old }];
    });
    await this.engine.must(...random.shuffled(commands));
  }

  /** Numbers that no VN has now, shuffled. */
  #free(of: (numbers: Numbers) => number, random: Random): number[] {
    const used = new Set([...this.#up.values()].map(of));
    return random.shuffled(IDS.filter((id) => !used.has(id)));
  }

  /** The first VN's frames go to the second's ports: the leak that `mixtures` must see. */
  async crossWires(): Promise<void> {
    await this.engine.must(...[...this.#up.values()].flatMap(deletion));
    this.#up.clear();
    await this.engine.must(...creation(0, { id: 1, nh: 1 }, 1));
    this.#up.set(0, { id: 1, nh: 1 });
  }

  /** Ports that sent anything but frames of their VN. */
  async mixtures(): Promise<Mixture[]> {
    return (await this.#sent()).filter(({ bytes, expected }) => bytes !== expected);
  }

  /** The fewest frames that any port sent. */
  async fewest(): Promise<number> {
    return Math.min(...(await this.#sent()).map(({ packets }) => packets));
  }

  async #sent(): Promise<Mixture[]> {
    const { ports } = await this.engine.stats();
    const of = (port: PortId, length: number): Mixture => {
      const [after, before] = [ports.find((row) => row.port === port)!, this.#before.get(port)!];
      const packets = after.txPackets - before.txPackets;
      return { port, packets, bytes: after.txBytes - before.txBytes, expected: packets * length };
    };
    return VNS.flatMap((n) => [of(sink(n), lengthOf(n)), of(link(n), lengthOf(n) + OVERHEAD)]);
  }
}

/** A VN's local tenant, and the link to its remote NVE: nobody is there to answer, so the neighbour is fixed. */
async function addOutputs(engine: EngineProcess, n: number, file: string): Promise<void> {
  writePcap(file, []);
  // What has nowhere to go net_pcap counts, packets and bytes, and drops; net_null would not count bytes.
  const kind = { driver: 'net_pcap', rxFile: file, txFile: null, infiniteRx: false } as const;
  await engine.must(
    { op: 'PortAdd', port: sink(n), name: `sink${n}`, mtu: 1500, kind },
    { op: 'PortAdd', port: link(n), name: `link${n}`, mtu: 1600, kind },
    { op: 'UnderlaySet', port: link(n), ip: linkAddress(n, 1) as IpAddr, prefixLen: 24 },
    { op: 'NeighbourSet', port: link(n), ip: linkAddress(n, 2) as IpAddr, mac: PEER_MAC as MacAddr },
  );
}

/** The endless sources. Frames are addressed to a MAC that is only known when the port is there; net_pcap counts up from the last port's. */
async function addSources(engine: EngineProcess, folder: string, last: string): Promise<void> {
  const port = (id: PortId, rxFile: string): Command => {
    const kind = { driver: 'net_pcap', rxFile, txFile: null, infiniteRx: true } as const;
    return { op: 'PortAdd', port: id, name: `source${id}`, mtu: 1600, kind };
  };
  const all = (...receivers: string[]) =>
    VNS.flatMap((n) =>
      receivers.map((to) => ({
        n,
        frame: ethernet({ to, from: SENDER }, ETHERTYPE.local, content('', lengthOf(n) - 14)),
      })),
    );
  const [access, underlay] = [path.join(folder, 'access'), path.join(folder, 'underlay')];
  const to = `${last.slice(0, -2)}${(Number.parseInt(last.slice(-2), 16) + 1).toString(16).padStart(2, '0')}`;
  const tunnel = { to, from: PEER_MAC, source: TUNNEL.from, target: TUNNEL.to };
  writePcap(
    underlay,
    all(LOCAL, BROADCAST).map(({ n, frame }) => vxlan({ ...tunnel, vni: 7000 + n }, frame)),
  );
  writePcap(
    access,
    all(LOCAL, REMOTE, BROADCAST).map(({ n, frame }) => tagged(frame, 100 + n)),
  );
  await engine.must(port(1, underlay), { op: 'UnderlaySet', port: 1, ip: TUNNEL.to as IpAddr, prefixLen: 24 });
  const row = (await engine.dump('ports')).find(({ port }) => port === 1);
  if (row?.mac !== to)
    throw new Error(`net_pcap took the MAC ${row?.mac}, not ${to}: no packet of the source would be ours`);
  await engine.must(port(0, access));
}

/** A VN's commands; its frames leave by the ports of `exit`. */
function creation(n: number, numbers: Numbers, exit = n): Command[] {
  const vn = numbers.id as VnId;
  const [access, local] = [2 * numbers.id, 2 * numbers.id + 1];
  const selector = { kind: 'c-tag', vid: (100 + n) as Vid } as const;
  return [
    { op: 'VnSet', vn, vni: (7000 + n) as Vni, mtu: 1500 as Mtu },
    { op: 'VapSet', vap: access, vn, port: 0, selector, guard: true, uplink: false },
    { op: 'VapSet', vap: local, vn, port: sink(exit), selector: { kind: 'untagged' }, guard: false, uplink: false },
    { op: 'FdbSet', vn, mac: SENDER as MacAddr, dest: { kind: 'vap', vap: access } },
    { op: 'FdbSet', vn, mac: LOCAL as MacAddr, dest: { kind: 'vap', vap: local } },
    { op: 'SourcesSet', vn, ips: [TUNNEL.from as IpAddr] },
    ...nextHop(exit, numbers),
  ];
}

/** The next hop to the remote NVE that is on link `n`, and what names it. */
function nextHop(n: number, { id, nh }: Numbers): Command[] {
  return [
    { op: 'NextHopSet', nh, remote: linkAddress(n, 2) as IpAddr, encap: 1, contextId: 9 },
    { op: 'FdbSet', vn: id as VnId, mac: REMOTE as MacAddr, dest: { kind: 'nh', nh } },
    { op: 'FloodSet', vn: id as VnId, dests: [{ kind: 'nh', nh }] },
  ];
}

function deletion({ id, nh }: Numbers): Command[] {
  return [
    { op: 'VapDel', vap: 2 * id },
    { op: 'VapDel', vap: 2 * id + 1 },
    { op: 'VnDel', vn: id as VnId },
    { op: 'NextHopDel', nh },
  ];
}
