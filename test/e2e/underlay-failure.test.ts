// RFC 8014 section 4.5: an NVE that has lost its underlay says so to its tenants, whose interfaces lose their carriers, and get them back
// with it, under the same tags and without anybody asking. The real roles: a hypervisor that asks by VDP, one that asks by RPC, and a
// tenant whose interface the NVE itself has made. Prints how long it takes.
//
//   tenant ─ tap ═ tNVE ═ uplink0 ─ veth ─ access0 ═ near agent ═ fabric (goes down) ═ far agent ─ relay of tags ─ far tenant
//                                      own tap ═╝
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TsiListRow } from '#hypervisor';
import { obstacle } from '../lib/command.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';
import { Role } from '../lib/role.js';
import { FAR, TwoNves } from '../lib/two-nves.js';

const why = obstacle('ip', 'ethtool', 'ping', 'python3', 'nsenter', 'unshare', 'setpriv');

const HOLD_MS = 1500;
const EVB = 'evb = { rka = 17, rwd = 17, rte = 13 }';
const TENANT = { ip: '10.0.0.1', mac: '02:00:00:00:00:01' };
const OWN = { ip: '10.0.0.2', mac: '02:00:00:00:00:02', iface: 'own1' };

const within = <T>(check: () => Promise<T>, timeout = 60_000): Promise<T> =>
  vi.waitFor(check, { timeout, interval: 20 });
const one = async (role: Role, tsi: string): Promise<TsiListRow | undefined> =>
  (await role.tsis()).find((row) => row.tsi.startsWith(tsi));

beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe.each(['vdp', 'rpc'] as const)('the NVE of a hypervisor that asks by %s', (protocol) => {
  const lab = new Lab();
  let nves: TwoNves;
  let tnve: Role;
  let tenant: Namespace;
  let before: TsiListRow | undefined;

  const hasCarrier = async (where: Namespace, iface: string): Promise<boolean> =>
    !(await where.must(`ip link show ${iface}`)).includes('NO-CARRIER');
  /** Of the tenant behind the tNVE, and of the one at the NVE itself. */
  const carriers = async (): Promise<boolean[]> =>
    Promise.all([hasCarrier(tenant, 'blue1'), hasCarrier(nves.near.namespace, OWN.iface)]);
  /** Milliseconds from the command until each interface has its carrier, or none. */
  const timed = async (namespace: Namespace, command: string, expected: boolean[]): Promise<string> => {
    const start = performance.now();
    await namespace.ip(command);
    const times = await Promise.all(
      expected.map((want, n) =>
        within(async () => {
          expect((await carriers())[n]).toBe(want);
          return Math.round(performance.now() - start);
        }),
      ),
    );
    return times.join(' and ');
  };
  const isAsBefore = async (): Promise<void> => {
    await within(async () =>
      expect(await one(tnve, 'blue-1')).toMatchObject({ cause: null, state: 'activated', tag: before?.tag }),
    );
    expect(await one(nves.near, 'own')).toMatchObject({ state: 'activated' });
    await within(() => ping(tenant, FAR.ip));
  };

  beforeAll(async () => {
    if (why !== undefined) return;
    const near = `access = [{ port = "access0", vlan_pool = "100-199", vdp = ${protocol === 'vdp'} }]
      tunnel.down_hold_ms = ${HOLD_MS}\n${EVB}`;
    nves = await TwoNves.create(lab, { near });
    const host = await lab.namespace('near host');
    await lab.veth({ namespace: nves.near.namespace, iface: 'access0' }, { namespace: host, iface: 'uplink0' });
    await nves.start();
    await nves.farTenant('blue');
    const uplink =
      protocol === 'vdp'
        ? 'uplink.port = "uplink0"'
        : `uplink = { port = "uplink0", protocol = "rpc" }\nnve = { socket = "${nves.near.socket}", link = "access0" }`;
    const toml = `${uplink}
log.level = "debug"
engine = { hugepages = "off", memory_mb = 128, mbuf_size = 2432 }
port = [{ name = "uplink0", driver = "net_af_xdp", iface = "uplink0" }]
vn = [{ name = "blue", vni = 5001 }]
${EVB}
`;
    tnve = lab.add(new Role(host, 'tnve', 'hv', nves.folder, toml));
    await tnve.start();
    tenant = await lab.namespace('tenant');
    await tnve.cli(`tsi attach blue-1 --vn blue --mac ${TENANT.mac} --ip ${TENANT.ip} --tap blue1`);
    await host.ip(`link set blue1 netns ${tenant.pid}`);
    await tenant.ip('link set blue1 up', `addr add ${TENANT.ip}/24 dev blue1`);
    await nves.near.cli(`tsi attach own --vn blue --mac ${OWN.mac} --ip ${OWN.ip} --tap ${OWN.iface}`);
    before = await one(tnve, 'blue-1');
    await within(() => ping(tenant, FAR.ip));
  });
  afterAll(() => lab.close());

  it('is not seen to have lost its underlay for less than the hold time', async () => {
    await nves.fabric.ip('link set near down');
    await within(async () => expect(nves.near.program.output).toContain('port fabric0 is down'));
    await nves.fabric.ip('link set near up');
    await within(async () => expect(nves.near.program.output).toContain('port fabric0 is up'));
    await new Promise((resolve) => setTimeout(resolve, 2 * HOLD_MS));
    expect(nves.near.program.output).not.toContain('no underlay address can be used');
    expect(tnve.program.output).not.toContain('loses its carrier');
    expect(await carriers()).toEqual([true, true]);
    await isAsBefore();
  });

  it('takes the carriers of its tenants while it has no underlay, and gives them back', async () => {
    const down = await timed(nves.fabric, 'link set near down', [false, false]);
    expect(await one(nves.near, 'own')).toMatchObject({ state: 'associated' });
    const refused = await nves.near.cli('tsi attach late --vn blue --mac 02:00:00:00:00:03 --tap late1').catch(String);
    expect(refused).toContain('NVE-TSI-012');
    const up = await timed(nves.fabric, 'link set near up', [true, true]);
    console.log(
      `${protocol}: carrier lost after ${down} ms (hold ${HOLD_MS}), back after ${up} ms (tNVE's tenant, NVE's own)`,
    );
    await isAsBefore();
  });

  it('or its tNVE takes the carrier of its tenants while the access link has none', async () => {
    const down = await timed(nves.near.namespace, 'link set access0 down', [false, true]);
    const up = await timed(nves.near.namespace, 'link set access0 up', [true, true]);
    console.log(
      `${protocol}: access link: carrier lost after ${down.split(' ')[0]} ms, back after ${up.split(' ')[0]} ms`,
    );
    await isAsBefore();
  });
});
