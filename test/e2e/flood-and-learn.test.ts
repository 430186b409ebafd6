// A VN without an authority's word: two engines and a kernel's vxlan device flood what they do not know and learn from what comes. Each
// engine is driven by a controller that knows nothing but the product's machine for learned MACs.
//
//   tenant a ─ tap ═ engine a ═╗
//   tenant b ─ tap ═ engine b ═╬═ bridge of the kernel, which is an NVE itself: vxlan device ─ tenant k
//
// Over IPv6 only what learning from tunnels is about.
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Command, EngineEvent } from '#dataplane';
import type { IpAddr, MacAddr, Mtu, VnId, Vni } from '#model';
import { RemoteLearning } from '#protocol';
import { PORT, xdpPort } from '../lib/chain.js';
import { obstacle } from '../lib/command.js';
import { type EngineProcess, grown } from '../lib/engine.js';
import { Lab } from '../lib/lab.js';
import type { Namespace } from '../lib/namespace.js';
import { ping } from '../lib/ping.js';

const why = obstacle('ip', 'bridge', 'ethtool', 'ping', 'python3', 'nsenter', 'setpriv');

const VN = 1 as VnId;
const VNI = 5001 as Vni;
const VAP = 1;
const AGE_S = 2;
const V4 = { family: 'IPv4', prefixLen: 24, nves: { a: '192.0.2.1', b: '192.0.2.2', k: '192.0.2.3' } } as const;
const V6 = { family: 'IPv6', prefixLen: 64, nves: { a: '2001:db8::1', b: '2001:db8::2', k: '2001:db8::3' } } as const;
type Underlay = typeof V4 | typeof V6;
const TENANTS = {
  a: { ip: '10.0.0.1', mac: '02:00:00:00:00:0a' },
  b: { ip: '10.0.0.2', mac: '02:00:00:00:00:0b' },
  k: { ip: '10.0.0.3', mac: '02:00:00:00:00:0c' },
} as const;
type Name = keyof typeof TENANTS;
const NAMES = Object.keys(TENANTS) as Name[];
const nhOf = (name: Name): number => NAMES.indexOf(name) + 1;

/** Makes rows of what the engine tells, and takes them away when they have aged. */
class Controller {
  readonly #engine: EngineProcess;
  readonly #nves: Underlay['nves'];
  readonly #machine = new RemoteLearning();
  readonly #timer: NodeJS.Timeout;
  #done = 0;
  #busy: Promise<unknown> = Promise.resolve();

  constructor(engine: EngineProcess, nves: Underlay['nves']) {
    this.#engine = engine;
    this.#nves = nves;
    this.#timer = setInterval(() => this.#look(), 20);
  }

  #look(): void {
    const { events } = this.#engine;
    for (; this.#done < events.length; this.#done++) {
      const commands = this.#commandsOf(events[this.#done]!);
      if (commands.length > 0) this.#busy = this.#busy.then(() => this.#engine.must(...commands));
    }
  }

  #commandsOf(event: EngineEvent): Command[] {
    if (event.kind === 'learned') {
      const { vn, mac, vap } = event;
      return [{ op: 'FdbSet', vn, mac, dest: { kind: 'vap', vap }, ageS: AGE_S }];
    }
    if (event.kind === 'aged') {
      this.#machine.handle({ type: 'aged', vn: event.vn, mac: event.mac }, performance.now());
      return [{ op: 'FdbDel', vn: event.vn, mac: event.mac }];
    }
    if (event.kind !== 'learned_remote') return [];
    const { vn, mac, remote } = event;
    const effects = this.#machine.handle({ type: 'seen', vn, mac, remote, isNamed: false }, performance.now());
    const name = NAMES.find((name) => this.#nves[name] === remote);
    const place = effects.some(({ type }) => type === 'place') && name !== undefined;
    return place ? [{ op: 'FdbSet', vn, mac, dest: { kind: 'nh', nh: nhOf(name) }, ageS: AGE_S }] : [];
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#busy;
  }
}

const vn = (options: object = {}): Command => ({
  op: 'VnSet',
  vn: VN,
  vni: VNI,
  mtu: 1430 as Mtu,
  options: { unknown: 'flood', learn: true, ...options },
});

/** The engines, the kernel and their tenants on an underlay of one family. */
class Net {
  readonly #lab = new Lab();
  readonly #underlay: Underlay;
  readonly engines = {} as Record<'a' | 'b', EngineProcess>;
  readonly tenants = {} as Record<Name, Namespace>;

  constructor(underlay: Underlay) {
    this.#underlay = underlay;
  }

  async open(): Promise<void> {
    const { prefixLen, nves } = this.#underlay;
    const fabric = await this.#lab.namespace('fabric');
    await fabric.ip('link add br0 type bridge');
    if (this.#underlay === V6) await fabric.must('sysctl -q -w net.ipv6.conf.br0.disable_ipv6=0');
    const dad = this.#underlay === V6 ? 'nodad' : '';
    await fabric.ip(`addr add ${nves.k}/${prefixLen} dev br0 ${dad}`, 'link set br0 up');
    await Promise.all([this.#nve('a', fabric), this.#nve('b', fabric)]);
    const k = await this.#lab.namespace('tenant k');
    this.tenants.k = k;
    const { ip, mac } = TENANTS.k;
    const checksum = this.#underlay === V4 ? 'noudpcsum' : '';
    const tunnel = `id ${VNI} local ${nves.k} dev br0 dstport 4789 ${checksum} ageing 300`;
    await fabric.ip(`link add vx address ${mac} mtu 1430 type vxlan ${tunnel}`);
    for (const peer of [nves.a, nves.b]) await fabric.must(`bridge fdb append 00:00:00:00:00:00 dev vx dst ${peer}`);
    await fabric.ip(`link set vx netns ${k.pid}`);
    await k.ip(`addr add ${ip}/24 dev vx`, 'link set vx up');
    for (const engine of Object.values(this.engines)) await engine.resolved();
  }

  async #nve(name: 'a' | 'b', fabric: Namespace): Promise<void> {
    const { prefixLen, nves } = this.#underlay;
    const space = await this.#lab.namespace(`nve ${name}`);
    await this.#lab.veth({ namespace: space, iface: 'under' }, { namespace: fabric, iface: `to-${name}`, stack: true });
    await fabric.ip(`link set to-${name} master br0`);
    const engine = await this.#lab.engine(name, space);
    this.engines[name] = engine;
    const others = NAMES.filter((other) => other !== name);
    await engine.must(
      xdpPort(PORT.underlay, 'under', 1500),
      { op: 'UnderlaySet', port: PORT.underlay, ip: nves[name] as IpAddr, prefixLen },
      { op: 'PortAdd', port: PORT.tap, name: 'tap', mtu: 1430, kind: { driver: 'net_tap', iface: 'tap', mac: null } },
      vn(),
      {
        op: 'VapSet',
        vap: VAP,
        vn: VN,
        port: PORT.tap,
        selector: { kind: 'untagged' },
        guard: false,
        uplink: false,
        learn: true,
      },
      ...others.map(
        (other): Command => ({
          op: 'NextHopSet',
          nh: nhOf(other),
          remote: nves[other] as IpAddr,
          encap: 1,
          contextId: VNI,
        }),
      ),
      { op: 'FloodSet', vn: VN, dests: others.map((other) => ({ kind: 'nh' as const, nh: nhOf(other) })) },
    );
    const tenant = await this.#lab.namespace(`tenant ${name}`);
    this.tenants[name] = tenant;
    await space.ip(`link set tap netns ${tenant.pid}`);
    const { ip, mac } = TENANTS[name];
    await tenant.ip(`link set tap name eth0 address ${mac} mtu 1430`, `addr add ${ip}/24 dev eth0`, 'link set eth0 up');
    this.#lab.add(new Controller(engine, nves));
  }

  /** Where engine a has a MAC: the NVE's name, `here`, or nowhere. */
  async placeOf(mac: string): Promise<Name | 'here' | undefined> {
    const row = (await this.engines.a.dump('fdb')).find((row) => row.mac === mac);
    if (row === undefined || row.dest.kind === 'group') return undefined;
    return row.dest.kind === 'vap' ? 'here' : NAMES[row.dest.nh - 1];
  }

  close(): Promise<void> {
    return this.#lab.close();
  }
}

const soon = (check: () => Promise<void>): Promise<void> => vi.waitFor(check, { timeout: 30_000, interval: 100 });

describe.each([V4, V6])('over $family', (underlay) => {
  const net = new Net(underlay);
  const { engines, tenants } = net;
  const placeOf = (mac: string) => net.placeOf(mac);
  /** What the family makes no difference to. */
  const itOnce = (name: string, body: () => Promise<void>) => (underlay === V4 ? it(name, body) : undefined);
  beforeAll(async () => {
    if (why === undefined) await net.open();
  });
  afterAll(() => net.close());
  beforeEach((context) => {
    if (why !== undefined) context.skip(why);
  });

  it('tenants reach each other and one behind the kernel, and rows appear', async () => {
    await tenants.a.run(`ping -n -c 1 -W 3 ${TENANTS.k.ip}`);
    await ping(tenants.a, TENANTS.k.ip);
    await tenants.a.run(`ping -n -c 1 -W 3 ${TENANTS.b.ip}`);
    await ping(tenants.a, TENANTS.b.ip);
    await ping(tenants.k, TENANTS.b.ip);
    await ping(tenants.a, TENANTS.b.ip);
    await ping(tenants.a, TENANTS.k.ip);
    expect(await placeOf(TENANTS.a.mac)).toBe('here');
    expect(await placeOf(TENANTS.b.mac)).toBe('b');
    expect(await placeOf(TENANTS.k.mac)).toBe('k');
  });

  it('a row in use does not age, and one that nothing is seen of goes', async () => {
    await tenants.a.must(`ping -n -c 20 -i 0.3 -W 2 ${TENANTS.k.ip}`);
    expect(await placeOf(TENANTS.k.mac)).toBe('k');
    await soon(async () => expect(await placeOf(TENANTS.k.mac)).toBeUndefined());
    await soon(async () => expect(await placeOf(TENANTS.a.mac)).toBeUndefined());
  });

  itOnce('what no row leads to is flooded, and answered', async () => {
    await tenants.a.ip(`neigh replace ${TENANTS.k.ip} lladdr ${TENANTS.k.mac} dev eth0`);
    await soon(async () => expect(await placeOf(TENANTS.k.mac)).toBeUndefined());
    await ping(tenants.a, TENANTS.k.ip);
    expect(await placeOf(TENANTS.k.mac)).toBe('k');
  });

  itOnce('an address with a pair is resolved without a question to the others', async () => {
    const pair = { vn: VN, ip: TENANTS.k.ip as IpAddr } as const;
    await engines.a.must(vn({ suppress: true }), { op: 'PairSet', ...pair, mac: TENANTS.k.mac as MacAddr });
    const suppressed = async () => (await engines.a.dump('vap_counters'))[0]?.suppressed;
    expect(await suppressed()).toBe(0);
    await tenants.a.ip('neigh flush all');
    await tenants.a.ip(`neigh del ${TENANTS.k.ip} dev eth0`).catch(() => undefined);
    await ping(tenants.a, TENANTS.k.ip);
    expect(await suppressed()).toBe(1);
    await engines.a.must(vn(), { op: 'PairDel', ...pair });
  });

  it('a MAC that shows up behind another NVE moves there', async () => {
    await ping(tenants.a, TENANTS.k.ip);
    expect(await placeOf(TENANTS.k.mac)).toBe('k');
    await tenants.k.ip('link set vx down');
    const { ip, mac } = TENANTS.k;
    await tenants.b.ip(`link set eth0 address ${mac}`, 'addr flush dev eth0', `addr add ${ip}/24 dev eth0`);
    await tenants.b.run(`ping -n -c 1 -W 3 ${TENANTS.a.ip}`);
    await ping(tenants.b, TENANTS.a.ip);
    await ping(tenants.a, ip);
    expect(await placeOf(mac)).toBe('b');
  });

  itOnce('a VN that asks drops what nobody knows, and tells of it', async () => {
    const nobody = '02:00:00:00:00:77';
    await engines.a.must(vn({ unknown: 'query' }));
    await tenants.a.ip(`neigh replace 10.0.0.77 lladdr ${nobody} dev eth0`);
    const before = await engines.a.drops();
    await tenants.a.run('ping -n -c 3 -i 0.2 -W 1 10.0.0.77');
    const asked = () => engines.a.events.filter((event) => event.kind === 'unknown' && event.mac === nobody);
    await soon(async () => expect(asked()).not.toHaveLength(0));
    expect(asked()[0]).toEqual({ kind: 'unknown', vn: VN, mac: nobody });
    expect(asked().length).toBeLessThan(3);
    expect(grown(before, await engines.a.drops())[`${PORT.tap} unknown_unicast`]).toBeGreaterThanOrEqual(3);
  });
});
