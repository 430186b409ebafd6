// An agent with one access link, for tests in octets: a station's ECP is punted, what the agent sends there is read back.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { HypervisorClient } from '#hypervisor';
import { type AgentConfig, err, isVn, nveError, ok, parseConfig, unwrap, type VnInfo } from '#model';
import { Agent } from '../agent/agent.js';
import { FakeEngine } from './fake-engine.js';
import { FakeNva } from './fake-nva.js';
import { silentLog } from './silent.js';

const CONFIG = `
node.name = "nve1"
rpc.socket = "SOCKET"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, { name = "access0", driver = "net_ring" }]
# 0.16 s: nothing is sent again while the test waits.
evb.rte = 14
`;
const NCB = '0180c2000000';
const AGENT = '02fe00000001';
const SOON = { timeout: 2_000, interval: 5 };

const vn = (id: number, name: string): VnInfo =>
  ({ vn: id, name, vni: 5000 + id, mtu: 1500, gateway: null }) as unknown as VnInfo;
export const blue = vn(1, 'blue');
export const red = vn(2, 'red');
/** "nvemgr", as vdptool sends it. */
export const MANAGER = `0a106e76656d677200000000000000000000`;
/** The last two digits of a VSI. */
export const vsiOf = (n: number): string => `11111111222233334444${n.toString(16).padStart(12, '0')}`;
export const tsiOf = (n: number): string => vsiOf(n).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');

/** An association TLV: `type` 02, 04, 06 or 08; `filter` from its format octet on. VSI type 5, version 1. */
export function association(type: string, status: string, n: number, filter: string): string {
  const value = `${status}0000050105${vsiOf(n)}${filter}`;
  return `${type}${(value.length / 2).toString(16).padStart(2, '0')}${value}`;
}

/** Format 4, one entry: blue's VNI, the MAC 02:00:00:00:00:N. */
export const blueFilter = (n: number, vid = '0000'): string =>
  `04000100001389020000000000${vid}`.replace(/0{2}(?=.{4}$)/, n.toString(16).padStart(2, '0'));

export class AccessRig {
  readonly #directory = mkdtempSync(join(tmpdir(), 'splitnve-access-'));
  readonly engine = new FakeEngine();
  readonly client = new HypervisorClient({ socket: join(this.#directory, 'agent.sock') });
  nva!: FakeNva;
  #agent!: Agent;
  #sequence = 0;

  /** `more`: the agent's configuration besides what every one needs; `[[access]]` is made if it has none. The NVA knows `vns`. */
  static async start(more = '', vns: readonly VnInfo[] = [blue]): Promise<AccessRig> {
    const rig = new AccessRig();
    const access = more.includes('[[access]]') ? '' : '\n[[access]]\nport = "access0"\nvlan_pool = "100-101"\n';
    const text = CONFIG.replace('SOCKET', join(rig.#directory, 'agent.sock')) + more + access;
    const config: AgentConfig = unwrap(parseConfig('agent', text, 'test.toml'));
    rig.#agent = await Agent.start({
      config,
      engine: rig.engine,
      log: silentLog().log,
      makeNvaClient: (_, handlers) => {
        rig.nva = new FakeNva(handlers);
        rig.nva.verdict = ({ vn: asked }) => {
          const known = vns.find((one) => isVn(one, asked));
          return known === undefined ? err(nveError('NVE-NVA-001', { vn: asked })) : ok(known);
        };
        return rig.nva;
      },
      onFailure: (error) => expect.unreachable(String(error)),
    });
    return rig;
  }

  async close(): Promise<void> {
    this.client.close();
    await this.#agent.close();
    rmSync(this.#directory, { recursive: true });
  }

  punt(hex: string, kind = 'ecp'): void {
    this.engine.punt({ port: 1, vap: null, class: kind, timestampNs: 0n, frame: Buffer.from(hex, 'hex') });
  }

  /** VDP from a station: TLVs after the Manager ID, as hexadecimal. */
  tell(tlvs: string, station = '02aa00000001'): void {
    this.#sequence += 1;
    const sequence = this.#sequence.toString(16).padStart(4, '0');
    this.punt(`${NCB}${station}89401001${sequence}${MANAGER}${tlvs}`);
  }

  /** The next VDP PDU of the agent to the station, without Manager ID and end; it is acknowledged at once. */
  async heard(station = '02aa00000001'): Promise<string> {
    const frames: string[] = [];
    await vi.waitFor(() => {
      const injected = this.engine.injected.splice(0).map(({ frame }) => Buffer.from(frame).toString('hex'));
      frames.push(...injected.filter((hex) => new RegExp(`^.{12}${AGENT}89401001`).test(hex)));
      expect(frames).toHaveLength(1);
    }, SOON);
    const pdu = frames[0]?.slice(28) ?? '';
    this.punt(`${NCB}${station}89401401${pdu.slice(4, 8)}`);
    return pdu.slice(8 + MANAGER.length, -4);
  }

  ask(tlvs: string, station?: string): Promise<string> {
    this.tell(tlvs, station);
    return this.heard(station);
  }
}
