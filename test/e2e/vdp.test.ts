// Our own two ends of VDP, as processes over a veth: `splitnve tnve` negotiates with `splitnve agent` on the link, and its tenants reach one at
// another NVE. Whoever is killed, the other side notices by its timers, and what was agreed is found again.
//
//   tenant ─ tap ═ tNVE ═ uplink0 ─ veth ─ access0 ═ near agent ═ VXLAN ═ far agent ─ relay of tags ─ far tenant
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import { Capture } from '../lib/capture.js';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { Role } from '../lib/role.js';
import { cTag } from '../lib/tag-relay.js';
import { FAR, TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'tcpdump', 'tshark', 'nsenter', 'unshare', 'setpriv');

// Exponents of 10 µs: keep-alives each 1.3 s, of which 2.9 s without one end a VSI; ECP waits 82 ms, for the machine may be busy.
const EVB = 'evb = { rka = 17, rwd = 17, rte = 13 }';
const TNVE = `
log.level = "debug"
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
port = [{ name = "uplink0", driver = "net_af_xdp", iface = "uplink0" }]
vn = [{ name = "blue", vni = 5001 }, { name = "red", vni = 5002 }]
${EVB}
`;
const TENANT = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };

/** The near host with its tNVE, both NVEs and a tenant at the far one. */
interface Site {
  readonly nves: TwoNves;
  readonly host: Namespace;
  readonly tnve: Role;
}

async function start(lab: Lab, tnve: string, near: string, far?: string): Promise<Site> {
  const nves = await TwoNves.create(lab, { near: `${near}\n${EVB}`, ...(far === undefined ? {} : { far }) });
  const host = await lab.namespace('near host');
  await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'uplink0' });
  await nves.start();
  const role = lab.add(new Role(host, 'tnve', 'hv', nves.folder, `${tnve}${TNVE}`));
  await role.start();
  return { nves, host, tnve: role };
}

const attach = async ({ tnve }: Site, vn: string, tsi: string, tap: string): Promise<void> => {
  await tnve.cli(`tsi attach ${tsi} --vn ${vn} --mac ${TENANT.mac} --ip ${TENANT.ip} --tap ${tap}`);
};
/** The tap becomes the tenant's. */
const enter = (site: Site, tenant: Namespace, tap: string): Promise<void> =>
  site.host
    .ip(`link set ${tap} netns ${tenant.pid}`)
    .then(() => tenant.ip(`link set ${tap} up`, `addr add ${TENANT.ip}/24 dev ${tap}`));
const ping = async (tenant: Namespace): Promise<void> => {
  const { stdout } = await tenant.run(`ping -q -c 5 -i 0.1 -w 10 ${FAR.ip}`);
  expect(stdout).toMatch(/ 5 received/);
};
const soon = (check: () => Promise<void>, timeout = 20_000): Promise<void> =>
  vi.waitFor(check, { timeout, interval: 200 });
const one = async (role: Role): Promise<TsiListRow | undefined> => (await role.tsis())[0];

beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('a tNVE and an agent, by VDP', () => {
  const lab = new Lab();
  let site: Site;
  let tenant: Namespace;
  const granted = { state: 'activated', tag: { kind: 'c-tag', vid: 100 } };

  beforeAll(async () => {
    if (why !== undefined) return;
    site = await start(lab, 'uplink.port = "uplink0"', 'access = [{ port = "access0", vlan_pool = "100-199" }]');
    await site.nves.farTenant('blue');
    tenant = await lab.namespace('tenant');
  });
  afterAll(() => lab.close());

  it('negotiate the tag of the VN, and its tenant reaches one at another NVE', async () => {
    await attach(site, 'blue', 'blue-1', 'blue1');
    expect(await one(site.tnve)).toMatchObject({ tsi: 'blue-1', link: 'uplink0', mtu: 1500, cause: null, ...granted });
    expect(await one(site.nves.near)).toMatchObject({
      tsi: 'blue-1/5001',
      vn: 'blue',
      macs: [TENANT.mac],
      ips: [TENANT.ip],
      ...granted,
    });
    await enter(site, tenant, 'blue1');
    await ping(tenant);
  });

  it('keep alive what they agreed', async () => {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    expect(await one(site.nves.near)).toMatchObject(granted);
    expect(site.tnve.program.output.match(/VSI blue-1: keep-alive/g)?.length).toBeGreaterThanOrEqual(2);
    await ping(tenant);
  });

  it('kill -9 of the agent: the tNVE associates again, with the same VID', async () => {
    await site.nves.near.restart('SIGKILL');
    await soon(async () => expect(await one(site.nves.near)).toMatchObject({ tsi: 'blue-1/5001', ...granted }));
    await soon(async () => expect(await one(site.tnve)).toMatchObject({ cause: null, ...granted }));
    // The far NVE has given this one up meanwhile, and finds it again.
    await soon(() => ping(tenant));
  });

  it('a flap of the link: the same', async () => {
    await site.host.ip('link set uplink0 down');
    await soon(async () => expect(site.tnve.program.output).toContain('the NVE is away'));
    await site.host.ip('link set uplink0 up');
    await soon(async () => expect(await one(site.nves.near)).toMatchObject({ tsi: 'blue-1/5001', ...granted }));
    await soon(async () => expect(await one(site.tnve)).toMatchObject({ cause: null, ...granted }));
    await ping(tenant);
  });

  it('kill -9 of the tNVE: the agent frees what it held when keep-alives are missing; attached again it has its VID', async () => {
    await site.tnve.program.stop('SIGKILL');
    expect(await one(site.nves.near)).toMatchObject(granted);
    await soon(async () => expect(await one(site.nves.near)).toBeUndefined());
    expect(site.nves.near.program.output).toContain('has been silent for');
    await site.tnve.start();
    await attach(site, 'blue', 'blue-1', 'blue2');
    expect(await one(site.tnve)).toMatchObject(granted);
    await enter(site, tenant, 'blue2');
    await ping(tenant);
  });

  it('a tNVE that stops de-associates', async () => {
    await site.tnve.program.stop('SIGTERM');
    expect(await one(site.nves.near)).toBeUndefined();
  });
});

describe('with S-TAGs', () => {
  const lab = new Lab();
  let site: Site;
  afterAll(() => lab.close());

  it('tenants of a VN exchange frames with C-TAGs of their own; only those travel in VXLAN', async () => {
    const access = (pool: string): string => `access = [{ port = "access0", scheme = "s-tag", vlan_pool = "${pool}" }]`;
    site = await start(lab, 'uplink = { port = "uplink0", scheme = "s-tag" }', access('100-199'), access('200-299'));
    const { nves, host } = site;
    await nves.farTenant('blue', cTag(10));
    await attach(site, 'blue', 'blue-1', 'blue1');
    expect(await one(site.tnve)).toMatchObject({ state: 'activated', tag: { kind: 's-tag', vid: 100 } });
    // The tenant's own VLAN begins behind the tap.
    const tenant = await nves.tenant('near tenant', { namespace: host, iface: 'blue1' }, TENANT, cTag(10));
    const capture = await Capture.start(nves.fabric, 'near');
    await ping(tenant);
    await capture.stop();
    const packets = await capture.fields('vxlan && icmp', 'vxlan.vni', 'vlan.id', 'frame.protocols');
    expect(packets.length).toBeGreaterThanOrEqual(10);
    for (const [vni, vid, protocols = ''] of packets) {
      expect([vni, vid]).toEqual(['5001', '10']);
      expect(protocols).toMatch(/vxlan:eth:ethertype:vlan:ethertype:ip/);
      expect(protocols).not.toContain('ieee8021ad');
    }
    expect(await capture.wrong()).toEqual([]);
  });
});

describe('within an S-channel', () => {
  const lab = new Lab();
  afterAll(() => lab.close());

  it('the tNVE gets one by CDCP, negotiates in it, and its tenant reaches one at another NVE', async () => {
    const access = 'scheme = "s-channel", channels = 2, svid_pool = "500-509", vlan_pool = "100-199"';
    const site = await start(
      lab,
      'uplink = { port = "uplink0", scheme = "s-channel" }',
      `access = [{ port = "access0", ${access} }]`,
    );
    await site.nves.farTenant('blue');
    await attach(site, 'blue', 'blue-1', 'blue1');
    const tag = { kind: 's-tag+c-tag', s_vid: 500, c_vid: 100 };
    expect(await one(site.tnve)).toMatchObject({ state: 'activated', tag });
    expect(await one(site.nves.near)).toMatchObject({ link: 'access0.500', state: 'activated', tag });
    const tenant = await lab.namespace('tenant');
    await enter(site, tenant, 'blue1');
    await ping(tenant);
  });
});
