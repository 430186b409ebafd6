// Frames of every size, from 64 bytes (FCS included) to the VN's MTU with DF set, and packets that are cut into fragments; all content
// compared.

import type { Lab, Outcome } from '../lab.js';
import { SCRIPTS } from '../paths.js';
import { lastLine, run } from '../shell.js';
import { tenantOf, VN_MTU, VNS } from '../tenants.js';
import { isWhole, ping, text } from './ping.js';

/** IPv4 and ICMP headers. */
const HEADERS = 28;

export async function checkSizes(lab: Lab): Promise<void> {
  for (const { vn } of VNS) {
    const [from, to] = [tenantOf(vn, 1), tenantOf(vn, 2)];
    await lab.check(`${vn}: every frame size unaltered, and fragments`, async () => {
      const { code, stdout, stderr } = await run(
        `ip netns exec ${from.place} node ${SCRIPTS}/echo-client.js ${to.ip}`,
        { deadlineMs: 20_000 },
      );
      return { isHeld: code === 0, detail: lastLine(stdout) || lastLine(stderr) };
    });
    await lab.check(`${vn}: ping of the MTU, with DF`, () => sized(from.place, to.ip, `-M do -s ${VN_MTU - HEADERS}`));
    await lab.check(`${vn}: ping in fragments`, () => sized(from.place, to.ip, '-s 8000'));
  }
}

async function sized(place: string, address: string, options: string): Promise<Outcome> {
  const result = await ping(place, address, `-c 3 -i 0.1 -w 3 ${options}`);
  return { isHeld: isWhole(result), detail: text(result) };
}
