// iperf3 over each VN. No threshold for the rate, which is the machine's; but data must pass, and of a modest UDP stream nearly all.

import { failed, held, type Lab, type Outcome } from '../lab.js';
import { must, run } from '../shell.js';
import { tenantOf, VNS } from '../tenants.js';
import { pingName } from './reach.js';

const UDP_MBITS = 20;
const LOSS_MAX_PERCENT = 1;

/** What is read of iperf3's JSON; all of it may be absent. */
interface Report {
  readonly error?: string;
  readonly end?: {
    readonly sum_sent?: { readonly retransmits?: number };
    readonly sum_received?: { readonly bits_per_second?: number; readonly bytes?: number };
    readonly sum?: { readonly packets?: number; readonly lost_packets?: number };
  };
}

export async function checkRates(lab: Lab): Promise<void> {
  for (const { vn } of VNS) {
    const needs = pingName(tenantOf(vn, 1), tenantOf(vn, 2));
    await lab.check(`iperf3 TCP in ${vn}`, async () => tcp(await iperf(vn, '')), needs);
    await lab.check(`iperf3 UDP in ${vn}, ${UDP_MBITS} Mbit/s`, () => udp(vn), needs);
  }
}

async function iperf(vn: string, options: string): Promise<Report> {
  const [from, to] = [tenantOf(vn, 1), tenantOf(vn, 2)];
  const line = `ip netns exec ${from.place} iperf3 -c ${to.ip} ${options}-t 2 --connect-timeout 2000 -J`;
  const { stdout, code } = await run(line);
  try {
    return JSON.parse(stdout) as Report;
  } catch {
    return { error: code === 124 ? 'no end within its deadline' : `exit code ${code}` };
  }
}

function tcp({ error, end }: Report): Outcome {
  if (error !== undefined) return failed(error);
  const bytes = end?.sum_received?.bytes ?? 0;
  const detail = `${mbits(end?.sum_received?.bits_per_second)}, ${end?.sum_sent?.retransmits ?? '?'} retransmissions`;
  return { isHeld: bytes > 0, detail };
}

/**
 * The network is judged by what it loses. What came, but found the receiver's socket full because iperf3 did not get to run, is named
 * beside it.
 */
async function udp(vn: string): Promise<Outcome> {
  const { place } = tenantOf(vn, 2);
  const before = await socketFull(place);
  const { error, end } = await iperf(vn, `-u -b ${UDP_MBITS}M -l 1400 `);
  if (error !== undefined) return failed(error);
  const inSocket = (await socketFull(place)) - before;
  const { packets = 0, lost_packets: missing = 0 } = end?.sum ?? {};
  const lost = Math.max(0, missing - inSocket);
  const late = inSocket === 0 ? '' : `, ${inSocket} more by the receiver's full socket`;
  const detail = `${mbits(end?.sum_received?.bits_per_second)}, ${lost} of ${packets} datagrams lost${late}`;
  const isHeld = packets > 0 && missing <= packets / 2 && (100 * lost) / packets <= LOSS_MAX_PERCENT;
  return isHeld ? held(detail) : failed(detail);
}

/** RcvbufErrors of UDP in a tenant's namespace. */
async function socketFull(place: string): Promise<number> {
  const [names, values] = (await must(`ip netns exec ${place} grep ^Udp: /proc/net/snmp`, { quiet: true })).split('\n');
  const column = names?.split(' ').indexOf('RcvbufErrors') ?? -1;
  return Number(values?.split(' ')[column] ?? 0);
}

function mbits(bitsPerSecond = 0): string {
  return `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}
