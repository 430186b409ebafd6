// Tenants of a VN reach each other, and each other only: the same address names another tenant in the other VN.

import { failed, held, type Lab } from '../lab.js';
import { run } from '../shell.js';
import { TENANTS, tenantOf } from '../tenants.js';
import { isWhole, ping, text } from './ping.js';

const PAIRS = TENANTS.map((from) => ({ from, to: tenantOf(from.vn, from.host === 1 ? 2 : 1) }));

export async function checkPing(lab: Lab): Promise<void> {
  for (const { from, to } of PAIRS) {
    await lab.check(`ping ${from.tsi} to ${to.tsi}`, async () => {
      const result = await ping(from.place, to.ip, '-c 5 -i 0.1 -w 3');
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
      if (name === '') return failed(stderr.trim() === '' ? 'no answer' : (stderr.trim().split('\n').at(-1) ?? ''));
      return name === to.tsi ? held(`"${name}"`) : failed(`"${name}" answers, not "${to.tsi}"`);
    });
  }
}
