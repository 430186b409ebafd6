// No static tables: before the first attachment an agent knows no MAC at all, after the last one exactly those of its own tenants and
// those that the NVA has told it.

import type { ShowFdbRow } from '#hypervisor';
import { failed, held, type Lab, type Outcome } from '../lab.js';
import { rows } from '../splitnve.js';
import { nveAddress, otherHost, TENANTS, type Tenant, VNS } from '../tenants.js';
import { until } from '../wait.js';

const CONVERGED_MS = 5_000;
const HOSTS = [1, 2] as const;

export async function checkNothingYet(lab: Lab): Promise<void> {
  await lab.check('before: the FDB of both agents is empty', async () => {
    const known = (await Promise.all(HOSTS.map((host) => rows('fdb', `agent${host}`)))).flat();
    return known.length === 0 ? held('no static tables') : failed(`${known.length} rows`);
  });
}

export async function checkMappings(lab: Lab): Promise<void> {
  for (const host of HOSTS)
    await lab.check(`agent ${host} knows the other's MACs from the NVA`, () => mappings(host, TENANTS));
}

/** The FDB of a host's agent is that of these tenants, within the deadline. */
export async function mappings(host: 1 | 2, tenants: readonly Tenant[]): Promise<Outcome> {
  const expected = tenants.flatMap((tenant) => tenant.macs.map((mac) => row(host, tenant, mac))).sort();
  const got = await until(
    async () => (await rows('fdb', `agent${host}`)).map(textOf).sort(),
    (texts) => texts.join() === expected.join(),
    CONVERGED_MS,
  );
  const missing = expected.filter((line) => !got.includes(line));
  const surplus = got.filter((line) => !expected.includes(line));
  if (missing.length + surplus.length === 0) {
    const remote = expected.filter((line) => line.includes(' nve ')).length;
    return held(`${remote} remote MACs, ${expected.length - remote} of its own`);
  }
  // One of each says what is wrong; all of them would only fill the screen.
  const wrong = [
    ...missing.slice(0, 1).map((line) => `no ${line}`),
    ...surplus.slice(0, 1).map((line) => `but ${line}`),
  ];
  const more = missing.length + surplus.length - wrong.length;
  return failed(`${wrong.join(', ')}${more > 0 ? `, and ${more} more` : ''}`);
}

function row(host: 1 | 2, tenant: Tenant, mac: string): string {
  if (tenant.host === host) return `${tenant.vn} ${mac} vap access0`;
  const vni = VNS.find(({ vn }) => vn === tenant.vn)?.vni;
  return `${tenant.vn} ${mac} nve ${nveAddress(otherHost(host))} vni ${vni}`;
}

function textOf({ vn, mac, to, port, remote, context_id }: ShowFdbRow): string {
  return to === 'vap' ? `${vn} ${mac} vap ${port}` : `${vn} ${mac} nve ${remote} vni ${context_id}`;
}
