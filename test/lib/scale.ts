// Thousands of VSIs over many access links of a real agent with real ports: they associate, live on through their keep-alives, and half of
// them migrate to another link. Nothing may be lost at either end: what counts is what the stations hold and what the engine forwards.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_HINTS } from '#model';
import type { EvbParameters, StationVsi } from '#protocol';
import type { Lab } from './lab.js';
import { Role } from './role.js';
import { Station, vsi, Wire } from './stations.js';

export interface ScaleOptions {
  /** VSIs of each link. */
  readonly perLink: readonly number[];
  readonly vns: number;
  /** RKA: a keep-alive each 10 µs · 2^RKA. */
  readonly rka: number;
}

export interface Rate {
  readonly vsis: number;
  readonly ms: number;
}

interface Placed {
  readonly vsi: StationVsi;
  /** The index of its link. */
  link: number;
  vid: number;
}

const FIRST_VNI = 5001;
/** Commands of one station that are under way. */
const WINDOW = 64;
const SAID = 8;
const UUID = /^(.{8})(.{4})(.{4})(.{4})(.{12})$/;
const hex = (n: number, digits: number): string => n.toString(16).padStart(digits, '0');

export class Scale {
  readonly agent: Role;
  readonly vsis: Placed[];
  readonly #stations: Station[] = [];
  readonly #options: ScaleOptions;
  readonly #evb: EvbParameters;
  readonly #nva: Role;
  readonly #before: { agent: number; nva: number };

  static async create(lab: Lab, options: ScaleOptions): Promise<Scale> {
    const folder = mkdtempSync(join(tmpdir(), 'splitnve-scale-'));
    lab.add({ close: async () => rmSync(folder, { recursive: true }) });
    const links = options.perLink.map((_, link) => `access${link}`);
    const [nve, hosts] = [await lab.namespace('nve'), await lab.namespace('hosts')];
    for (const [link, iface] of links.entries())
      await lab.veth({ namespace: nve, iface }, { namespace: hosts, iface: `v${link}` });
    const vns = Array.from({ length: options.vns }, (_, vn) => `{ name = "vn${vn}", vni = ${FIRST_VNI + vn} }`);
    const nva = new Role(
      nve,
      'nva',
      'nva',
      folder,
      `
listen.endpoints = ["unix:${folder}/nnp.sock"]
vn = [${vns}]
nve = [{ id = "nve1", addresses = ["192.0.2.1"] }]
tsi = [${Array.from({ length: options.vns }, (_, vn) => `{ vn = "vn${vn}", tsi = "*" }`)}]
`,
    );
    const ports = links.map((name) => `{ name = "${name}", driver = "net_af_xdp", iface = "${name}" }`);
    const agent = new Role(
      nve,
      'agent',
      'nve1',
      folder,
      `
nva.endpoints = ["unix:${folder}/nnp.sock"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
engine = { hugepages = "off", memory_mb = 512, mbufs = 131071, mbuf_size = 2432 }
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, ${ports}]
access = [${links.map((port) => `{ port = "${port}", vlan_pool = "2-4094" }`)}]
evb = { rka = ${options.rka}, rte = 14 }
`,
    );
    lab.add(nva);
    lab.add(agent);
    await nva.start();
    await agent.start();
    const scale = new Scale(options, agent, nva);
    const wire = lab.add(await Wire.open(links.map((_, link) => ({ namespace: hosts, iface: `v${link}` }))));
    for (const link of links.keys())
      scale.#stations.push(lab.add(new Station(wire, link, `02:aa:00:00:00:${hex(link, 2)}`, scale.#evb)));
    await Promise.all(scale.#stations.map((station) => station.start()));
    return scale;
  }

  private constructor(options: ScaleOptions, agent: Role, nva: Role) {
    this.#options = options;
    this.agent = agent;
    this.#nva = nva;
    this.#before = { agent: agent.memoryMb, nva: nva.memoryMb };
    this.#evb = { retries: 3, rte: 10, rwd: 20, rka: options.rka };
    let number = 0;
    this.vsis = options.perLink.flatMap((count, link) =>
      Array.from({ length: count }, () => {
        const n = number++;
        const uuid = `${hex(n + 1, 8)}-0000-4000-8000-000000000000`;
        const described = vsi(uuid, `02:00:${hex(n, 8).match(/../g)?.join(':')}`, FIRST_VNI + (n % options.vns));
        return { vsi: described, link, vid: 0 };
      }),
    );
  }

  /** What agent and NVA have taken since they started, in MiB. */
  get memoryMb(): { agent: number; nva: number } {
    return { agent: this.agent.memoryMb - this.#before.agent, nva: this.#nva.memoryMb - this.#before.nva };
  }

  /** A keep-alive interval, in ms. */
  get interval(): number {
    return 0.01 * 2 ** this.#options.rka;
  }

  /** All of them; each gets a VID. */
  associateAll(): Promise<Rate> {
    return this.#timed(this.vsis, (placed) => this.#associate(placed, placed.link, NO_HINTS));
  }

  /** Half of those of each link go to the next; those of the last, which has the fewest, to the one before it. */
  async migrateHalf(): Promise<Rate> {
    const last = this.#stations.length - 1;
    const movers = this.vsis.filter((_, n) => n % 2 === 0);
    return this.#timed(movers, async (placed) => {
      const from = placed.link;
      const to = from === last ? last - 1 : from + 1;
      await this.#associate(placed, to, { ...NO_HINTS, migrating: true });
      placed.link = to;
      await this.#stations[from]?.deAssociate(placed.vsi);
    });
  }

  /** What is not as it should be, at either end, in words. */
  async lost(): Promise<string[]> {
    const wrong: string[] = [];
    // What the engine forwards, and for which TSI.
    const rows = new Map((await this.agent.fdb()).map((row) => [`${row.mac}`, row]));
    for (const { vsi: described, link, vid } of this.vsis) {
      const { vsiid, entries } = described;
      const wanted = `access${link} ${vid} ${vsiid.replace(UUID, '$1-$2-$3-$4-$5')}/${entries[0]?.groupId}`;
      const row = rows.get(`${entries[0]?.mac}`);
      rows.delete(`${entries[0]?.mac}`);
      const found = `${row?.port} ${row?.tag?.kind === 'c-tag' ? row.tag.vid : 'no tag'} ${row?.tsi}`;
      if (found !== wanted) wrong.push(`${found}, not ${wanted}`);
    }
    for (const mac of rows.keys()) wrong.push(`${mac}: nobody's`);
    const held = this.#stations.flatMap(({ port }) => port.rows()).filter(({ held }) => held !== null).length;
    for (const { name, ended } of this.#stations)
      wrong.unshift(...[...ended].map(([vsiid, error]) => `${name} lost ${vsiid}: ${error.message}`));
    if (held !== this.vsis.length) wrong.push(`the stations hold ${held}, not ${this.vsis.length}`);
    // The first few say enough.
    return wrong.length > SAID ? [...wrong.slice(0, SAID), `and ${wrong.length - SAID} more`] : wrong;
  }

  async #associate(placed: Placed, link: number, hints: typeof NO_HINTS): Promise<void> {
    const answer = await this.#stations[link]?.associate(placed.vsi, hints);
    placed.vid = answer?.vids[0] ?? 0;
  }

  /** Each station has so many commands under way, as a hypervisor that starts its VMs. */
  async #timed(some: readonly Placed[], work: (placed: Placed) => Promise<void>): Promise<Rate> {
    const start = performance.now();
    const ofLink = this.#stations.map((_, link) => some.filter((placed) => placed.link === link));
    const turns = ofLink.flatMap((queue) =>
      Array.from({ length: WINDOW }, async () => {
        for (let next = queue.pop(); next !== undefined; next = queue.pop()) await work(next);
      }),
    );
    await Promise.all(turns);
    return { vsis: some.length, ms: performance.now() - start };
  }
}
