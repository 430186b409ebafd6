// What must not pass. Five frames that no honest peer sends, and one to a MAC that nobody has: each is dropped at agent 1 under its own
// reason, exactly once, and no tenant sees any of them. Before, a good one of the same kind shows that the captures would have seen it.

import { vidOfTag } from '#model';
import { Captures } from '../captures.js';
import { escaped, frame, vxlan } from '../frames.js';
import { failed, held, type Lab, type Outcome } from '../lab.js';
import { socketOf } from '../paths.js';
import { must } from '../shell.js';
import { rows } from '../splitnve.js';
import { BLUE_ONLY_MAC, nveAddress, TENANTS, tenantOf, VNS } from '../tenants.js';
import { until } from '../wait.js';
import { ping, text } from './ping.js';
import { pingName } from './reach.js';

const UNKNOWN_VNI = 9999;
const NOBODY = '02:00:00:00:00:99';
const DROPPED_MS = 3_000;
const PINGS = 100;

interface Bad {
  readonly what: string;
  readonly reason: string;
  readonly port: string;
  readonly line: string;
}

export async function checkIsolation(lab: Lab): Promise<void> {
  const captures = await Captures.start(lab.processes);
  try {
    await lab.check(
      `${PINGS} pings in blue: none is seen in red`,
      () => unicastGoesToOnePlace(captures),
      pingName(tenantOf('blue', 1), tenantOf('blue', 2)),
    );
    const vids = await vidsOfHost1();
    await lab.check('a good frame arrives in blue, and there only', () => arrives(captures, 'good-1', vids['blue']));
    const counters = new Counters();
    for (const bad of badFrames(vids)) await lab.check(bad.what, () => isDropped(counters, bad));
    await lab.check('none of these was seen by any tenant', () => nothingArrived(captures, vids['blue']));
  } finally {
    captures.stop();
  }
}

async function unicastGoesToOnePlace(captures: Captures): Promise<Outcome> {
  const echoes = /ICMP echo (request|reply)/g;
  const before = TENANTS.map(({ place }) => captures.count(place, echoes));
  const [from, to] = [tenantOf('blue', 1), tenantOf('blue', 2)];
  const result = await ping(from.place, to.ip, `-c ${PINGS} -i 0.01 -w 6`);
  const seen = Object.fromEntries(
    TENANTS.map(({ tsi, place }, n) => [tsi, captures.count(place, echoes) - (before[n] ?? 0)]),
  );
  const detail = `${text(result)}; seen: ${TENANTS.map(({ tsi }) => `${tsi} ${seen[tsi]}`).join(', ')}`;
  const isHeld =
    result.received === PINGS && seen['blue-2'] === 2 * PINGS && seen['red-1'] === 0 && seen['red-2'] === 0;
  return { isHeld, detail };
}

/** The VIDs that were negotiated on access link 1. */
async function vidsOfHost1(): Promise<Record<string, number>> {
  const tsis = await rows('tsi', 'tnve1');
  return Object.fromEntries(tsis.map(({ vn, tag }) => [vn, (tag && vidOfTag(tag)) ?? 0]));
}

function badFrames(vids: Record<string, number>): Bad[] {
  const { blue, red } = vids;
  const [src] = tenantOf('blue', 1).macs;
  const [dst] = tenantOf('blue', 2).macs;
  const [vni] = VNS.map((one) => one.vni);
  const addresses = { src: src ?? '', dst: dst ?? '' };
  const neverGiven = [3999, 3998, 3997].find((vid) => vid !== blue && vid !== red);
  // Towards host 1, as from host 2.
  const back = { src: addresses.dst, dst: addresses.src };
  return [
    {
      what: "red's tag from a MAC that only blue has",
      reason: 'source_guard',
      port: 'access0',
      line: inject({ ...addresses, src: BLUE_ONLY_MAC, vid: red, mark: 'bad-1' }),
    },
    {
      what: 'a tag never negotiated',
      reason: 'unknown_tag',
      port: 'access0',
      line: inject({ ...addresses, vid: neverGiven, mark: 'bad-2' }),
    },
    { what: 'an untagged frame', reason: 'untagged', port: 'access0', line: inject({ ...addresses, mark: 'bad-3' }) },
    {
      what: 'a MAC that the NVA does not know',
      reason: 'unknown_unicast',
      port: 'access0',
      line: inject({ ...addresses, dst: NOBODY, vid: blue, mark: 'bad-4' }),
    },
    {
      what: 'an unknown VNI',
      reason: 'unknown_vni',
      port: 'fabric0',
      line: datagram(vxlan(UNKNOWN_VNI, frame({ ...back, mark: 'bad-5' }))),
    },
    {
      what: 'VXLAN from an address that is no NVE of the VN',
      reason: 'source_nve',
      port: 'fabric0',
      line: datagram(vxlan(vni ?? 0, frame({ ...back, mark: 'bad-6' }))),
    },
  ];
}

/** On the real access link, by the tNVE's end of it. */
function inject(fields: Parameters<typeof frame>[0], host: 1 | 2 = 1): string {
  return `splitnve inject uplink0 ${frame(fields).toString('hex')} --socket ${socketOf(`tnve${host}`)}`;
}

/** On the fabric, by an ordinary UDP socket of the kernel in the namespace of no NVE. */
function datagram(content: Buffer): string {
  return `ip netns exec rogue bash -c 'printf "${escaped(content)}" >/dev/udp/${nveAddress(1)}/4789'`;
}

async function isDropped(counters: Counters, { line, port, reason }: Bad): Promise<Outcome> {
  await counters.ready();
  await must(line);
  const risen = await counters.risen();
  const detail = [...risen].map(([key, packets]) => `${key} +${packets}`).join(', ') || 'no drop was counted';
  const isHeld = risen.size === 1 && risen.get(`${port} ${reason}`) === 1;
  return isHeld ? held(`dropped: ${reason}`) : failed(`${detail}; expected ${port} ${reason} +1`);
}

/** Agent 1's drops, and by how much they have risen since the last look. */
class Counters {
  #last: Map<string, number> | undefined;

  async ready(): Promise<void> {
    this.#last ??= await drops();
  }

  /** Waits for a rise; what has risen, by port and reason. */
  async risen(): Promise<Map<string, number>> {
    const before = this.#last ?? new Map<string, number>();
    const now = await until(drops, (after) => difference(before, after).size > 0, DROPPED_MS);
    this.#last = now;
    return difference(before, now);
  }
}

/** Of tenants' frames. That a PDU of ECP is repeated where the machine is busy, and counted, is not about them. */
async function drops(): Promise<Map<string, number>> {
  const ofTenants = (await rows('drops', 'agent1')).filter(({ reason }) => !reason.startsWith('ecp_'));
  return new Map(ofTenants.map(({ port, reason, packets }) => [`${port} ${reason}`, packets]));
}

function difference(before: Map<string, number>, after: Map<string, number>): Map<string, number> {
  const entries = [...after].map(([key, packets]): [string, number] => [key, packets - (before.get(key) ?? 0)]);
  return new Map(entries.filter(([, packets]) => packets !== 0));
}

/** A frame from blue-1's second MAC reaches blue-2, and nobody else. */
async function arrives(captures: Captures, mark: string, vid: number | undefined): Promise<Outcome> {
  const [dst] = tenantOf('blue', 2).macs;
  await must(inject({ src: BLUE_ONLY_MAC, dst: dst ?? '', vid, mark }));
  return seenOnlyAt(captures, mark, 'blue-2');
}

/** Frames keep their order: when one sent after all others has arrived, the others are not on their way any more. */
async function nothingArrived(captures: Captures, vid: number | undefined): Promise<Outcome> {
  const there = await arrives(captures, 'good-2', vid);
  if (!there.isHeld) return there;
  const [blue1, blue2] = [tenantOf('blue', 1), tenantOf('blue', 2)];
  const tag2 = (await rows('tsi', 'tnve2')).find(({ vn }) => vn === 'blue')?.tag ?? null;
  const vidOf2 = (tag2 && vidOfTag(tag2)) ?? undefined;
  await must(inject({ src: blue2.macs[0] ?? '', dst: blue1.macs[0] ?? '', vid: vidOf2, mark: 'good-3' }, 2));
  const back = await seenOnlyAt(captures, 'good-3', 'blue-1');
  if (!back.isHeld) return back;
  const seen = TENANTS.filter(({ place }) => captures.count(place, /bad-\d/g) > 0).map(({ tsi }) => tsi);
  return seen.length === 0 ? held('and good frames sent after them were') : failed(`seen by ${seen.join(', ')}`);
}

async function seenOnlyAt(captures: Captures, mark: string, tsi: string): Promise<Outcome> {
  const pattern = new RegExp(mark, 'g');
  const places = await until(
    async () => TENANTS.filter(({ place }) => captures.count(place, pattern) > 0).map((tenant) => tenant.tsi),
    (names) => names.length > 0,
    DROPPED_MS,
    20,
  );
  if (places.length === 1 && places[0] === tsi) return held(`seen by ${tsi} only`);
  return failed(places.length === 0 ? `${mark} was seen by nobody` : `${mark} was seen by ${places.join(', ')}`);
}
