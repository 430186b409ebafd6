// A tenant that is detached is gone everywhere, the others feel nothing, and attached again it is back.

import { failed, type Lab } from '../lab.js';
import { must } from '../shell.js';
import { addressLine, attachLine, detachLine, TENANTS, tenantOf } from '../tenants.js';
import { mappings } from './mappings.js';
import { isWhole, ping, text } from './ping.js';

export async function checkDetach(lab: Lab): Promise<void> {
  const [near, far] = [tenantOf('blue', 1), tenantOf('blue', 2)];
  await lab.check(`${far.tsi} detached: agent 1 forgets it`, async () => {
    await must(detachLine(far));
    return mappings(
      1,
      TENANTS.filter((tenant) => tenant !== far),
    );
  });
  await lab.check(`${far.tsi} detached: it does not answer`, async () => {
    const result = await ping(near.place, far.ip, '-c 3 -i 0.2 -W 1');
    return { isHeld: result.received === 0, detail: text(result) };
  });
  await lab.check(`${far.tsi} detached: red goes on`, async () => {
    const result = await ping('red1', tenantOf('red', 2).ip, '-c 3 -i 0.1 -W 2');
    return { isHeld: isWhole(result), detail: text(result) };
  });
  await lab.check(`${far.tsi} attached again: it answers`, async () => {
    await must(attachLine(far));
    await must(addressLine([far]));
    const known = await mappings(1, TENANTS);
    if (!known.isHeld) return failed(known.detail);
    const result = await ping(near.place, far.ip, '-c 3 -i 0.2 -W 2');
    return { isHeld: result.received > 0 && isWhole(result), detail: text(result) };
  });
}
