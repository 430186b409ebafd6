// Two NVEs and their NVA, the real programs, with a tenant at the far one: whatever a test attaches to the near one can reach it.
//
//   (the test) ═ access ═ near agent ═ VXLAN ═ far agent ═ access ═ relay of tags ─ far tenants, one in each VN
//                              └──── NVA ────┘
//
// The underlay has one link, or several: each NVE has an address on each of them.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Tag } from '#model';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { Role } from './role.js';
import { cTag, type RelayEnd, type RelayTag, sTag, TagRelay } from './tag-relay.js';

export interface TwoNvesOptions {
  /** Of both agents; by default debug. */
  readonly log?: 'debug' | 'info';
  /** The [[access]] of the near agent, and whatever else it needs. */
  readonly near: string;
  /** Of the near agent's access port; by default 1500. */
  readonly nearMtu?: number;
  /** Of the underlay; by default one. */
  readonly links?: number;
  /** Whether there is a second NVA of the same configuration, that the agents go to when the first is away. */
  readonly twoNvas?: boolean;
  /** Of the far agent, instead of C-TAGs from 200 on. */
  readonly far?: string;
  /** Further keys of a VN at the NVA, as TOML of one line. */
  readonly vns?: Partial<Record<VnName, string>>;
  /** What else the NVA needs. */
  readonly nva?: string;
}

/** VN by name, with its VNI; anybody may join. */
export const VNS = { blue: 5001, red: 5002 } as const;
export type VnName = keyof typeof VNS;

/** The tenant behind the far NVE, the same in every VN. */
export const FAR = { ip: '10.0.0.9', mac: '02:00:00:00:00:09' };
/** Of every VN; nobody is there, but who attaches is told it. */
export const GATEWAY = '10.0.0.254';
/** Of frames on the access links and of tenants. */
const MTU = 1500;

const FAR_ACCESS = 'access = [{ port = "access0", vlan_pool = "200-299" }]';

const NEAR_HOST = 1;
const FAR_HOST = 2;
const addressOf = (link: number, host: number): string => `192.0.${2 + link}.${host}`;
const addressesOf = (links: number, host: number): string[] =>
  Array.from({ length: links }, (_, link) => addressOf(link, host));

/** A link between the NVEs, where they have `fabricN`: a frame that AF_XDP takes or sends is not seen by tcpdump at that end, so a bridge lies between. */
async function linkOf(lab: Lab, n: number, near: Namespace, far: Namespace): Promise<Namespace> {
  const fabric = await lab.namespace(`fabric ${n}`);
  await fabric.ip('link add fabric type bridge', 'link set fabric mtu 1600 up');
  for (const [namespace, iface] of [
    [near, 'near'],
    [far, 'far'],
  ] as const) {
    await lab.veth({ namespace, iface: `fabric${n}`, mtu: 1600 }, { namespace: fabric, iface, mtu: 1600 });
    await fabric.ip(`link set ${iface} master fabric`);
  }
  return fabric;
}

export class TwoNves {
  readonly folder: string;
  /** The underlay's switches; their interfaces `near` and `far` show what passes. */
  readonly fabrics: readonly Namespace[];
  readonly nva: Role;
  /** The second NVA, if there is one. */
  readonly spare: Role | undefined;
  readonly near: Role;
  readonly far: Role;
  readonly relay: TagRelay;
  readonly #lab: Lab;
  #farHost: Namespace | undefined;

  /** `access0` of the near agent must be there before `start`. */
  static async create(
    lab: Lab,
    {
      near,
      nearMtu = MTU,
      far = FAR_ACCESS,
      log = 'debug',
      links = 1,
      twoNvas = false,
      vns = {},
      nva = '',
    }: TwoNvesOptions,
  ): Promise<TwoNves> {
    const folder = mkdtempSync(join(tmpdir(), 'splitnve-two-nves-'));
    lab.add({ close: async () => rmSync(folder, { recursive: true }) });
    const nearNve = await lab.namespace('near NVE');
    const farNve = await lab.namespace('far NVE');
    const fabrics: Namespace[] = [];
    for (let n = 0; n < links; n++) fabrics.push(await linkOf(lab, n, nearNve, farNve));
    const nnp = `unix:${folder}/nnp.sock`;
    const second = `unix:${folder}/nnp2.sock`;
    const ways = twoNvas ? `"${nnp}", { address = "${second}", priority = 1 }` : `"${nnp}"`;
    const agent = (name: string, namespace: Namespace, host: number, mtu: number, rest: string): Role =>
      lab.add(new Role(namespace, 'agent', name, folder, agentToml(log, ways, underlayOf(links, host), mtu, rest)));
    const spare = twoNvas
      ? lab.add(new Role(nearNve, 'nva', 'nva2', folder, nvaToml(second, links, vns, nva)))
      : undefined;
    return new TwoNves(lab, folder, fabrics, {
      spare,
      nva: lab.add(new Role(nearNve, 'nva', 'nva', folder, nvaToml(nnp, links, vns, nva))),
      near: agent('near', nearNve, NEAR_HOST, nearMtu, near),
      far: agent('far', farNve, FAR_HOST, MTU, far),
    });
  }

  private constructor(
    lab: Lab,
    folder: string,
    fabrics: readonly Namespace[],
    roles: { nva: Role; spare: Role | undefined; near: Role; far: Role },
  ) {
    this.#lab = lab;
    this.folder = folder;
    this.fabrics = fabrics;
    this.nva = roles.nva;
    this.spare = roles.spare;
    this.near = roles.near;
    this.far = roles.far;
    this.relay = lab.add(new TagRelay());
  }

  /** The first of the switches. */
  get fabric(): Namespace {
    return this.fabrics[0] as Namespace;
  }

  /** Starts all of them; the far agent's access link ends in a namespace of its own. */
  async start(): Promise<void> {
    const host = await this.#lab.namespace('far host');
    await this.#lab.veth({ namespace: this.far.namespace, iface: 'access0' }, { namespace: host, iface: 'v0' });
    await Promise.all([this.nva.start(), this.spare?.start()]);
    await Promise.all([this.near.start(), this.far.start()]);
    this.#farHost = host;
  }

  /** The other end of the far agent's access link. */
  get farLink(): RelayEnd {
    if (this.#farHost === undefined) throw new Error('the far NVE is not started');
    return { namespace: this.#farHost, iface: 'v0' };
  }

  /** Attaches a tenant at the far NVE, over its RPC; it is in a namespace of its own. `own`: tags that its frames have themselves. */
  async farTenant(vn: VnName, ...own: RelayTag[]): Promise<Namespace> {
    const link = this.farLink;
    await this.far.cli(`tsi attach far-${vn} --vn ${vn} --mac ${FAR.mac} --link access0`);
    const row = (await this.far.tsis()).find(({ tsi }) => tsi === `far-${vn}`);
    return this.tenant(`far ${vn}`, link, FAR, relayTag(row?.tag), ...own);
  }

  /** A tenant with a kernel's IP stack, whose frames travel on the link under these tags. */
  async tenant(
    name: string,
    link: RelayEnd,
    { ip, mac }: { readonly ip: string; readonly mac: string },
    ...tags: RelayTag[]
  ): Promise<Namespace> {
    const space = await this.#lab.namespace(name);
    const iface = `t${mac.replaceAll(':', '').slice(-4)}${tags.map(([, vid]) => vid).join('.')}`;
    await this.#lab.veth(
      { namespace: space, iface: 'eth0', stack: true, mtu: MTU },
      { namespace: link.namespace, iface, mtu: MTU },
    );
    await space.ip(`link set eth0 address ${mac}`, `addr add ${ip}/24 dev eth0`);
    await this.relay.join(link, { namespace: link.namespace, iface }, ...tags);
    return space;
  }
}

function relayTag(tag: Tag | null | undefined): RelayTag {
  if (tag?.kind === 'c-tag') return cTag(tag.vid);
  if (tag?.kind === 's-tag') return sTag(tag.vid);
  throw new Error(`no relay for ${JSON.stringify(tag)}`);
}

function nvaToml(nnp: string, links: number, more: NonNullable<TwoNvesOptions['vns']>, rest: string): string {
  const vns = Object.entries(VNS) as [VnName, number][];
  const nve = (id: string, host: number): string =>
    `{ id = "${id}", addresses = ${JSON.stringify(addressesOf(links, host))} }`;
  return `
listen.endpoints = ["${nnp}"]
vn = [${vns.map(([name, vni]) => `{ name = "${name}", vni = ${vni}, gateway = "${GATEWAY}"${more[name] === undefined ? '' : `, ${more[name]}`} }`)}]
nve = [${nve('near', NEAR_HOST)}, ${nve('far', FAR_HOST)}]
tsi = [${vns.map(([name]) => `{ vn = "${name}", tsi = "*" }`)}]
${rest}`;
}

/** What an agent has of the underlay: ports, and their addresses. */
function underlayOf(links: number, host: number): { ports: string[]; addresses: string[] } {
  return {
    ports: addressesOf(links, host).map(
      (_, n) => `{ name = "fabric${n}", driver = "net_af_xdp", iface = "fabric${n}", mtu = 1600 }`,
    ),
    addresses: addressesOf(links, host).map((ip, n) => `{ port = "fabric${n}", address = "${ip}/24" }`),
  };
}

/** Its engine is small, and asleep when idle. */
function agentToml(
  log: string,
  ways: string,
  { ports, addresses }: ReturnType<typeof underlayOf>,
  mtu: number,
  rest: string,
): string {
  return `
log.level = "${log}"
nva.endpoints = [${ways}]
underlay = [${addresses}]
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
port = [
  ${ports.join(',\n  ')},
  { name = "access0", driver = "net_af_xdp", iface = "access0", mtu = ${mtu} },
]
${rest}`;
}
