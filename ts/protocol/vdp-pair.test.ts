/** Both sides of VDP back to back, in good and in bad weather (`testing/vdp-pair.ts`). They have to end in agreement. */
import { describe, expect, it } from 'vitest';
import { nveError, type VnId, vidOfTag } from '#model';
import { FINE, PAIR_PARAMETERS, VdpPair } from './testing/vdp-pair.js';
import { peer, vsi } from './testing/vdp-rig.js';
import { stationVsi } from './testing/vdp-station-rig.js';
import type { VdpStationEvent } from './vdp-station-events.js';
import { reinitKeepAlive, toutKeepAlive } from './vdp-timers.js';

const SILENCE = toutKeepAlive(PAIR_PARAMETERS);
const NO_HINTS = { suspended: false, migrating: false };

/** What each side believes: the VSI, its mode, its filter with the VIDs. */
function believes(pair: VdpPair): { station: unknown[]; bridge: unknown[]; tsis: string[]; wanted: string[] } {
  const what = (held: { command: string; filter: unknown; vsiid: string } | null) =>
    held === null ? null : { vsiid: held.vsiid, command: held.command, filter: held.filter };
  const rows = pair.bridge.rows();
  return {
    station: pair.station.rows().map(({ held }) => what(held)),
    bridge: rows.map(({ association }) => what(association)),
    tsis: pair.table.rows().map(({ tsi, state, tag }) => `${tsi} ${state} ${tag && vidOfTag(tag)}`),
    wanted: rows
      .flatMap(({ tsis, association }) =>
        tsis.map(({ tsi }) => {
          const vni = Number(tsi.split('/')[1]);
          const entries = association?.filter.kind === 'entries' ? association.filter.entries : [];
          const vid = entries.find(({ groupId }) => groupId === vni)?.vid;
          return `${tsi} ${association?.command === 'associate' ? 'activated' : 'associated'} ${vid}`;
        }),
      )
      .sort(),
  };
}

function expectAgreement(pair: VdpPair): void {
  const { station, bridge, tsis, wanted } = believes(pair);
  expect(bridge).toEqual(station);
  expect(tsis).toEqual(wanted);
}

describe('in fine weather', () => {
  it('many VSIs in few PDUs associate, stay, and leave', () => {
    const pair = new VdpPair(1);
    const all = Array.from({ length: 60 }, (_, i) => i + 1);
    pair.command(
      all.map((n): VdpStationEvent => {
        const vsiOf = stationVsi(n, [{ vni: 5001 + (n % 3), mac: n }]);
        return { type: 'associate', request: n, command: 'associate', vsi: vsiOf, hints: NO_HINTS };
      }),
    );
    pair.run(1_000);
    expect(pair.told).toHaveLength(60);
    expect(pair.told.every((effect) => effect.type === 'answer' && effect.result.ok)).toBe(true);
    expectAgreement(pair);
    // Five keep-alive intervals, and the association is still there.
    pair.run(5 * reinitKeepAlive(PAIR_PARAMETERS) + 1);
    expect(pair.bridge.rows().filter(({ state }) => state === 'associated')).toHaveLength(60);
    pair.command(all.map((n) => ({ type: 'deAssociate', request: 100 + n, vsi: vsi(n) })));
    pair.run(1_000);
    expect(believes(pair)).toEqual({ station: [], bridge: [], tsis: [], wanted: [] });
  });

  it('a station that dies is forgotten, an NVE that restarts gives the same VIDs', () => {
    const pair = new VdpPair(2);
    pair.command({ type: 'associate', request: 1, command: 'associate', vsi: stationVsi(), hints: NO_HINTS });
    pair.run(500);
    pair.weather = { ...FINE, loss: 1 };
    pair.run(2 * SILENCE);
    expect(believes(pair)).toEqual({ station: [], bridge: [], tsis: [], wanted: [] });
  });

  it('what the NVA withdraws is de-associated at the station', () => {
    const pair = new VdpPair(3);
    pair.command({ type: 'associate', request: 1, command: 'associate', vsi: stationVsi(), hints: NO_HINTS });
    pair.run(500);
    pair.tsi({ type: 'revoke', scope: { vn: 5001 as VnId }, reason: 'deleted' });
    pair.run(500);
    expect(pair.told.at(-1)).toMatchObject({ type: 'ended', retry: true, error: { code: 'NVE-VDP-005' } });
    expect(believes(pair)).toEqual({ station: [], bridge: [], tsis: [], wanted: [] });
  });
});

describe('what moved to another NVE', () => {
  it('is de-associated with HARD: the station is told not to ask for it again', () => {
    const pair = new VdpPair(4);
    pair.command({ type: 'associate', request: 1, command: 'associate', vsi: stationVsi(), hints: NO_HINTS });
    pair.run(500);
    const [row] = pair.table.rows();
    const error = nveError('NVE-TSI-007', { tsi: 'x', link: 'access0', reason: 'it moved to NVE nve2' });
    pair.nve({ type: 'tsiEnded', key: { tsi: row!.tsi, link: row!.link }, error, final: true });
    pair.run(500);
    expect(pair.told.at(-1)).toMatchObject({ type: 'ended', retry: false, error: { code: 'NVE-VDP-005' } });
    expect(believes(pair)).toMatchObject({ station: [], bridge: [] });
  });
});

describe('in bad weather', () => {
  const SEEDS = Array.from({ length: 60 }, (_, i) => i + 1);

  it.each(SEEDS)('seed %i ends in agreement', (seed) => {
    const pair = new VdpPair(seed, seed % 2 === 0);
    const { random } = pair;
    const pick = <T>(...items: T[]): T => items[Math.floor(random() * items.length)] as T;
    pair.weather = { loss: 0.25, double: 0.2, delay: 60, refuse: 0.1 };
    let request = 0;
    for (let step = 0; step < 80; step++) {
      const n = 1 + Math.floor(random() * 6);
      request += 1;
      const entries = pick(
        [{ mac: n }],
        [{ mac: n }, { mac: n + 10 }],
        [{ vni: 5002, mac: n }],
        [{ mac: n }, { vni: 5002, mac: n }],
      );
      const command = pick('preAssociate', 'preAssociateRr', 'associate', 'associate', 'associate');
      const hints = { suspended: random() < 0.1, migrating: random() < 0.1 };
      if (random() < 0.75) pair.command({ type: 'associate', request, command, vsi: stationVsi(n, entries), hints });
      else if (random() < 0.8) pair.command({ type: 'deAssociate', request, vsi: vsi(n) });
      else if (random() < 0.5) pair.tsi({ type: 'revoke', scope: { vn: pick(5001, 5002) as VnId }, reason: 'deleted' });
      else pair.nve({ type: 'revoke', scope: { peer: peer(), vsi: vsi(n) }, reason: 'an operator' });
      pair.run(random() * 1_500);
    }
    pair.weather = FINE;
    // What the NVE holds alone it forgets; what the station holds alone it tells with its next keep-alive. A TSI that the
    // engine did not let go is asked for again after 5 seconds.
    pair.run(3 * SILENCE + 6_000);
    // No command is under way, and no keep-alive either.
    for (let i = 0; i < 100 && pair.station.rows().some(({ state }) => state !== 'associated'); i++) pair.run(7);
    expectAgreement(pair);
    // Each command has exactly one answer.
    const answered = pair.told.flatMap((effect) => (effect.type === 'answer' ? [effect.request] : []));
    expect(new Set(answered).size).toBe(answered.length);
  });

  it('is bad indeed: commands fail, and associations end', () => {
    const errors = new Set<string>();
    const pair = new VdpPair(7);
    pair.weather = { loss: 0.5, double: 0.2, delay: 60, refuse: 0.2 };
    for (let n = 1; n <= 40; n++) {
      pair.command({
        type: 'associate',
        request: n,
        command: 'associate',
        vsi: stationVsi(n, [{ mac: n }]),
        hints: NO_HINTS,
      });
      pair.run(300);
    }
    pair.run(5_000);
    for (const effect of pair.told) {
      if (effect.type === 'ended') errors.add(effect.error.code);
      else if (effect.type === 'answer' && !effect.result.ok) errors.add(effect.result.error.code);
    }
    expect([...errors]).toEqual(expect.arrayContaining(['NVE-VDP-006', 'NVE-VDP-007']));
  });
});
