// Open vSwitch with its userspace datapath, as a foreign NVE: its own database and sockets in a folder of the test, nothing of the system's.
//
//   tenant (internal port of br-int) ─ br-int ─ tunnel port ⇒ br-phy, which has the NVE's address ─ the underlay's interface
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { must } from './command.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';
import { Program } from './program.js';

const SCHEMA = '/usr/share/openvswitch/vswitch.ovsschema';

export interface OvsAddress {
  readonly mac: string;
  /** With the length of its prefix. */
  readonly addresses: readonly string[];
}

export class Ovs {
  readonly namespace: Namespace;
  readonly #folder: string;
  readonly #server: Program;
  readonly #switch: Program;

  /** Runs in `namespace`; `underlay` is the interface there towards other NVEs. */
  static async create(lab: Lab, namespace: Namespace, underlay: string, own: OvsAddress): Promise<Ovs> {
    const ovs = lab.add(new Ovs(namespace));
    await ovs.#start();
    await ovs.ctl(
      `add-br br-phy -- set bridge br-phy datapath_type=netdev other_config:hwaddr=${own.mac} -- add-port br-phy ${underlay}`,
      'add-br br-int -- set bridge br-int datapath_type=netdev',
    );
    for (const address of own.addresses) {
      if (address.includes(':')) await namespace.must('sysctl -q -w net.ipv6.conf.br-phy.disable_ipv6=0');
      await namespace.ip(`addr add ${address} dev br-phy${address.includes(':') ? ' nodad' : ''}`);
    }
    await namespace.ip('link set br-phy up');
    return ovs;
  }

  private constructor(namespace: Namespace) {
    this.namespace = namespace;
    this.#folder = mkdtempSync(join(tmpdir(), 'splitnve-ovs-'));
    const [db, log] = [this.#in('conf.db'), ['-vconsole:warn', '-vsyslog:off']];
    // Where the switch puts the sockets of its bridges, and its lock files.
    const env = ['RUNDIR', 'DBDIR', 'LOGDIR', 'SYSCONFDIR'].map((name) => `OVS_${name}=${this.#folder}`);
    const of = (name: string): string[] => [
      `--unixctl=${this.#in(`${name}.ctl`)}`,
      `--pidfile=${this.#in(`${name}.pid`)}`,
    ];
    const server = ['ovsdb-server', db, `--remote=punix:${this.#in('db')}`, ...of('server'), ...log];
    this.#server = new Program(namespace, 'env', ...env, ...server);
    const daemon = ['ovs-vswitchd', this.#db, '--disable-system', ...of('switch'), ...log];
    this.#switch = new Program(namespace, 'env', ...env, ...daemon);
  }

  get #db(): string {
    return `unix:${this.#in('db')}`;
  }

  #in(name: string): string {
    return join(this.#folder, name);
  }

  async #start(): Promise<void> {
    await must('ovsdb-tool', ['create', this.#in('conf.db'), SCHEMA]);
    await this.#server.start();
    await this.ctl('--no-wait --retry init');
    await this.#switch.start();
  }

  /** ovs-vsctl, once for each line; each must succeed, and is done when the switch has done it. */
  async ctl(...lines: string[]): Promise<string> {
    let said = '';
    for (const line of lines) said += await this.namespace.must(`ovs-vsctl --db=${this.#db} --timeout=20 ${line}`);
    return said;
  }

  /** ovs-ofctl at a bridge. */
  flows(command: string, bridge: string, ...rest: string[]): Promise<string> {
    const program = ['ovs-ofctl', '-O', 'OpenFlow13', command, `unix:${this.#folder}/${bridge}.mgmt`, ...rest];
    const [first = '', ...args] = program;
    return must(...this.namespace.inside(first, ...args));
  }

  /** ovs-appctl at the switch. */
  app(line: string): Promise<string> {
    return this.namespace.must(`ovs-appctl --target=${this.#in('switch.ctl')} ${line}`);
  }

  /** A tenant of `br-int`, in the namespace given, where its interface is `eth0`. */
  async tenant(port: string, space: Namespace, { mac, ip }: { mac: string; ip: string }): Promise<void> {
    await this.ctl(`add-port br-int ${port} -- set interface ${port} type=internal`);
    await this.namespace.ip(`link set ${port} netns ${space.pid}`);
    await space.ip(`link set ${port} name eth0 address ${mac}`, `addr add ${ip}/24 dev eth0`, 'link set eth0 up');
  }

  async close(): Promise<void> {
    await this.#switch.close();
    await this.#server.close();
    rmSync(this.#folder, { recursive: true });
  }
}
