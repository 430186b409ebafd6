// Frames of every size, from 64 bytes (FCS included) to the VN's MTU with DF set, and packets that are cut into fragments; all content
// compared.

import type { Lab, Outcome } from '../lab.js';
import { SCRIPTS } from '../paths.js';
import { complaint, lastLine, run } from '../shell.js';
import { type Tenant, tenantOf, VN_MTU, VNS } from '../tenants.js';
import { isWhole, ping, text } from './ping.js';
import { pingName } from './reach.js';

/** IPv4 and ICMP headers. */
const HEADERS = 28;

export async function checkSizes(lab: Lab): Promise<void> {
  for (const { vn } of VNS) {
    const [from, to] = [tenantOf(vn, 1), tenantOf(vn, 2)];
    const needs = pingName(from, to);
    await lab.check(`${vn}: every frame size unaltered, and fragments`, () => echo(from, to), needs);
    const mtu = `-M do -s ${VN_MTU - HEADERS}`;
    await lab.check(`${vn}: ping of the MTU, with DF`, () => sized(from, to, mtu), needs);
    await lab.check(`${vn}: ping in fragments`, () => sized(from, to, '-s 8000'), needs);
  }
}

async function echo(from: Tenant, to: Tenant): Promise<Outcome> {
  const line = `ip netns exec ${from.place} node ${SCRIPTS}/echo-client.js ${to.ip}`;
  const { code, stdout, stderr } = await run(line, { deadlineMs: 20_000 });
  return { isHeld: code === 0, detail: lastLine(stdout) || complaint(stderr) };
}

async function sized(from: Tenant, to: Tenant, options: string): Promise<Outcome> {
  const result = await ping(from.place, to.ip, `-c 3 -i 0.1 -W 2 ${options}`);
  return { isHeld: isWhole(result), detail: text(result) };
}
