// Tenants of a VN reach each other, and each other only: the same address names another tenant in the other VN.

import { failed, held, type Lab } from '../lab.js';
import { complaint, run } from '../shell.js';
import { TENANTS, type Tenant, tenantOf } from '../tenants.js';
import { isWhole, ping, text } from './ping.js';

const PAIRS = TENANTS.map((from) => ({ from, to: tenantOf(from.vn, from.host === 1 ? 2 : 1) }));

/** The name of the check that two tenants reach each other. */
export function pingName(from: Tenant, to: Tenant): string {
  return `ping ${from.tsi} to ${to.tsi}`;
}

export async function checkPing(lab: Lab): Promise<void> {
  for (const { from, to } of PAIRS) {
    await lab.check(pingName(from, to), async () => {
      const result = await ping(from.place, to.ip, '-c 5 -i 0.1 -W 2');
      return { isHeld: isWhole(result), detail: text(result) };
    });
  }
}

export async function checkNames(lab: Lab): Promise<void> {
  for (const { from, to } of PAIRS) {
    await lab.check(`who is ${to.ip}, asked from ${from.tsi}`, async () => {
      const line = `ip netns exec ${from.place} timeout 2 bash -c 'cat </dev/tcp/${to.ip}/7000'`;
      const { stdout, stderr } = await run(line);
      const name = stdout.trim();
      if (name === '') return failed(complaint(stderr) || 'no answer');
      return name === to.tsi ? held(`"${name}"`) : failed(`"${name}" answers, not "${to.tsi}"`);
    });
  }
}
