/**
 * VDP's station machine for one VSI (IEEE 802.1Q clause 41.5).
 *
 * ```
 *          associate             granted
 *   init ───────────► waiting ───────────► associated ◄──────┐ confirmed
 *    ▲                 │ ▲ │    KEEP         │ │ │ ▲         │
 *    │ refused, silent │ │ └─────────────────┼─┼─┼─┘         │
 *    ├─────────────────┘ └───────associate───┘ │ └───idle───► keepAlive
 *    │ De-Assoc of the bridge                  │                │ │
 *    ├─────────────────────────────────────────┼────────────────┘ │ KEEP, another answer
 *    │ confirmed, silent             deAssociate                  │
 *    └──────────────────── leaving ◄───────────┴──────────────────┘
 * ```
 *
 * `waiting` is the standard's STATION_PROC and PROCWAIT, `associated` WAIT_SYSCMD, `keepAlive` TXMIT_KA and KAWAIT, `leaving`
 * TXMIT_DEASSOC and DEAWAIT. Unlike lldpad it sends Associate to Pre-Associate (RFC 8394's Deactivate), and where an answer
 * is not to the question it tells the bridge so with a De-Assoc, instead of leaving it to toutKeepAlive.
 */
import { err, type NveError, nveError, ok, type Result, type TsiHints, type Vid } from '#model';
import {
  isVdpResponse,
  readResponseStatus,
  requestStatus,
  type VdpAssociation,
  type VdpFilterEntry,
  type VdpResponseStatus,
} from '#wire';
import type { RequestId } from './tsi-events.js';
import { vsiText } from './vdp-events.js';
import type { StationAssociation, StationCommand, StationVsi, VdpStationState } from './vdp-station-events.js';

/** A command that is not answered yet. */
export interface StationWish {
  readonly request: RequestId;
  readonly command: StationCommand;
  readonly vsi: StationVsi;
  readonly hints: TsiHints;
}

export interface StationRecord {
  readonly key: string;
  state: VdpStationState;
  vsi: StationVsi;
  /** What the bridge has granted. */
  held: VdpAssociation | null;
  /** What was sent last. */
  sent: VdpAssociation | null;
  /** The requests that `sent` will answer. */
  requests: RequestId[];
  /** A command that has to wait until the one before it is done. */
  next: StationWish | null;
  /** Of the PDU that carried `sent`. */
  token: number;
  /** When `sent` went out, or in `associated` when the bridge was heard last. */
  since: number;
}

export interface VdpStationMachineHost {
  /** Sends the association, with the qualifiers of its VSI. */
  send(record: StationRecord, association: VdpAssociation): void;
  answer(request: RequestId, result: Result<StationAssociation | null>): void;
  ended(record: StationRecord, error: NveError, retry: boolean): void;
  log(record: StationRecord, from: VdpStationState, cause: string, error: NveError | null): void;
}

export function newStationRecord(key: string, vsi: StationVsi, now: number): StationRecord {
  return { key, state: 'init', vsi, held: null, sent: null, requests: [], next: null, token: 0, since: now };
}

export class VdpStationMachine {
  readonly #host: VdpStationMachineHost;

  constructor(host: VdpStationMachineHost) {
    this.#host = host;
  }

  associate(record: StationRecord, wish: StationWish, now: number): void {
    switch (record.state) {
      case 'init':
      case 'associated':
        this.#command(record, wish, now);
        break;
      case 'waiting':
      case 'keepAlive':
      case 'leaving':
        // One command at a time for a VSI: an answer names only its mode.
        this.#forgetNext(record, wish.command);
        record.next = wish;
        break;
    }
  }

  deAssociate(record: StationRecord, request: RequestId, now: number): void {
    switch (record.state) {
      case 'init':
        this.#host.answer(request, ok(null));
        break;
      case 'waiting':
      case 'associated':
      case 'keepAlive':
        this.#overtake(record, 'deAssociate');
        record.requests.push(request);
        this.#leave(record, 'deAssociate', null, now);
        break;
      case 'leaving':
        this.#forgetNext(record, 'deAssociate');
        record.requests.push(request);
        break;
    }
  }

  /** An association TLV of the bridge for this VSI. */
  received(record: StationRecord, managerId: string, association: VdpAssociation, now: number): void {
    const isDeAssociate = association.command === 'deAssociate';
    const { sent } = record;
    const isAnswer =
      sent !== null && isVdpResponse(association.status) && association.command === sent.command && !isDeAssociate;
    switch (record.state) {
      case 'init':
        break;
      case 'waiting':
        if (isDeAssociate) this.#deAssociatedWhileWaiting(record, association, now);
        else if (isAnswer) this.#answered(record, managerId, sent, association, now);
        break;
      case 'associated':
        // Else it is late, or told twice.
        if (isDeAssociate) this.#deAssociated(record, association, now);
        break;
      case 'keepAlive':
        if (isDeAssociate) this.#deAssociated(record, association, now);
        else if (isAnswer) this.#confirmed(record, managerId, sent, association, now);
        break;
      case 'leaving':
        if (isDeAssociate) this.#gone(record, 'de-associated', null, now);
        break;
    }
  }

  /** respWaitDelay is over, or ECP could not deliver (clause 41.5.5.13). */
  unanswered(record: StationRecord, ms: number, now: number): void {
    const command = record.sent?.command ?? 'a command';
    const error = nveError('NVE-VDP-007', { vsi: vsiText(record.vsi), command, ms: Math.round(ms) });
    switch (record.state) {
      case 'init':
      case 'associated':
        break;
      case 'waiting':
      case 'keepAlive':
        this.#lost(record, 'no answer', error, now);
        break;
      case 'leaving':
        this.#gone(record, 'no answer', error, now);
        break;
    }
  }

  /** Nothing was said for reinitKeepAlive, or the channel is back (clause 41.5.5.7). */
  keepAlive(record: StationRecord, now: number): void {
    const { held } = record;
    switch (record.state) {
      case 'init':
      case 'waiting':
      case 'keepAlive':
      case 'leaving':
        break;
      case 'associated':
        if (held !== null) this.#send(record, held, 'keepAlive', 'keep-alive', now);
        break;
    }
  }

  // Steps

  #command(record: StationRecord, { request, command, vsi, hints }: StationWish, now: number): void {
    const { managerId: _, filterFormat: format, qualifiers: __, ...identity } = vsi;
    record.vsi = vsi;
    record.requests.push(request);
    const entries = known(vsi.entries, record.held);
    const { typeId, typeVersion, vsiidFormat, vsiid } = identity;
    const association: VdpAssociation = {
      kind: 'association',
      command,
      status: requestStatus(hints),
      typeId,
      typeVersion,
      vsiidFormat,
      vsiid,
      filter: { kind: 'entries', format, entries },
    };
    this.#send(record, association, 'waiting', command, now);
  }

  #answered(record: StationRecord, managerId: string, sent: VdpAssociation, answer: VdpAssociation, now: number): void {
    const status = readResponseStatus(answer.status);
    if (status.code !== 0) {
      const error = refused(record, answer, status);
      if (!status.keep || record.held === null) {
        this.#lost(record, 'refused', error, now, !status.hard);
        return;
      }
      this.#finish(record, err(error));
      this.#rest(record, 'refused, the earlier association stays', error, now);
      return;
    }
    const field = differs(record.vsi.managerId, managerId, sent, answer);
    if (field !== null) {
      const error = nveError('NVE-VDP-008', { vsi: vsiText(record.vsi), field });
      if (record.held !== null) this.#host.ended(record, error, true);
      this.#finish(record, err(error));
      this.#leave(record, 'an answer to something else', error, now);
      return;
    }
    record.held = { ...answer, status: sent.status };
    this.#finish(record, ok({ association: answer, vids: vidsOf(answer) }));
    this.#rest(record, `${answer.command} granted`, null, now);
  }

  #confirmed(
    record: StationRecord,
    managerId: string,
    sent: VdpAssociation,
    answer: VdpAssociation,
    now: number,
  ): void {
    const status = readResponseStatus(answer.status);
    const field = differs(record.vsi.managerId, managerId, sent, answer);
    if (status.code === 0 && field === null) {
      this.#rest(record, 'confirmed', null, now);
    } else if (status.code !== 0 && !status.keep) {
      this.#lost(record, 'keep-alive refused', refused(record, answer, status), now, !status.hard);
    } else {
      // 41.5, TXMIT_DEASSOC: a bridge that keeps what it refuses to confirm, or confirms another thing.
      const vsi = vsiText(record.vsi);
      const error = status.code !== 0 ? refused(record, answer, status) : nveError('NVE-VDP-008', { vsi, field });
      this.#host.ended(record, error, true);
      this.#leave(record, 'keep-alive not confirmed', error, now);
    }
  }

  /** HARD in it: the VSI is not to be asked for again (it moved to another NVE). */
  #deAssociated(record: StationRecord, association: VdpAssociation, now: number): void {
    const { hard } = readResponseStatus(association.status);
    this.#lost(record, 'De-Assoc of the NVE', deAssociated(record, association), now, !hard);
  }

  /** Without Req/Ack it is either an unsolicited one that has crossed our command, or the bridge's refusal of it. */
  #deAssociatedWhileWaiting(record: StationRecord, association: VdpAssociation, now: number): void {
    if (isVdpResponse(association.status) || record.held === null) {
      this.#deAssociated(record, association, now);
      return;
    }
    const error = deAssociated(record, association);
    record.held = null;
    this.#host.ended(record, error, !readResponseStatus(association.status).hard);
    this.#host.log(record, record.state, 'De-Assoc of the NVE', error);
  }

  /** The association is gone, and whoever waits for something of it is told. */
  #lost(record: StationRecord, cause: string, error: NveError, now: number, retry = true): void {
    if (record.held !== null) this.#host.ended(record, error, retry);
    this.#finish(record, err(error));
    this.#gone(record, cause, error, now);
  }

  #leave(record: StationRecord, cause: string, error: NveError | null, now: number): void {
    const last = record.held ?? record.sent;
    record.held = null;
    if (last !== null) this.#send(record, { ...last, command: 'deAssociate', status: 0 }, 'leaving', cause, now, error);
  }

  #gone(record: StationRecord, cause: string, error: NveError | null, now: number): void {
    this.#finish(record, error === null ? ok(null) : err(error));
    record.held = null;
    record.sent = null;
    this.#to(record, 'init', cause, error);
    this.#proceed(record, now);
  }

  #rest(record: StationRecord, cause: string, error: NveError | null, now: number): void {
    record.since = now;
    this.#to(record, 'associated', cause, error);
    this.#proceed(record, now);
  }

  #proceed(record: StationRecord, now: number): void {
    const { next } = record;
    record.next = null;
    if (next !== null) this.#command(record, next, now);
  }

  #send(
    record: StationRecord,
    association: VdpAssociation,
    state: VdpStationState,
    cause: string,
    now: number,
    error: NveError | null = null,
  ): void {
    record.sent = association;
    record.since = now;
    this.#to(record, state, cause, error);
    this.#host.send(record, association);
  }

  #finish(record: StationRecord, result: Result<StationAssociation | null>): void {
    for (const request of record.requests.splice(0)) this.#host.answer(request, result);
  }

  #overtake(record: StationRecord, by: string): void {
    const command = record.sent?.command ?? 'a command';
    this.#finish(record, err(nveError('NVE-VDP-009', { vsi: vsiText(record.vsi), command, by })));
    this.#forgetNext(record, by);
  }

  #forgetNext(record: StationRecord, by: string): void {
    const { next } = record;
    record.next = null;
    if (next === null) return;
    const error = nveError('NVE-VDP-009', { vsi: vsiText(record.vsi), command: next.command, by });
    this.#host.answer(next.request, err(error));
  }

  #to(record: StationRecord, state: VdpStationState, cause: string, error: NveError | null): void {
    const from = record.state;
    record.state = state;
    this.#host.log(record, from, cause, error);
  }
}

/** A null VID of an entry that has been given one is not null any more (clause 41.5, as lldpad does). */
function known(entries: readonly VdpFilterEntry[], held: VdpAssociation | null): VdpFilterEntry[] {
  const before = held?.filter.kind === 'entries' ? held.filter.entries : [];
  return entries.map((entry) => {
    const same = before.find(
      ({ groupId, mac, ip }) => groupId === entry.groupId && mac === entry.mac && ip === entry.ip,
    );
    return entry.vid === 0 && same !== undefined ? { ...entry, vid: same.vid } : entry;
  });
}

/** What in the answer may not differ from the request, and does; null: nothing. */
function differs(ours: string, managerId: string, sent: VdpAssociation, answer: VdpAssociation): string | null {
  if (managerId !== ours) return 'VSI Manager ID';
  if (answer.typeId !== sent.typeId || answer.typeVersion !== sent.typeVersion) return 'VSI type';
  if (answer.filter.kind === 'opaque' || sent.filter.kind === 'opaque') return 'filter';
  const { format, entries } = answer.filter;
  const asked = sent.filter.entries;
  if (format !== sent.filter.format || entries.length !== asked.length) return 'filter format or number of entries';
  for (const [i, { vid, ps, pcp, groupId, mac, ip }] of entries.entries()) {
    const was = asked[i] as VdpFilterEntry;
    if (groupId !== was.groupId) return 'GroupID';
    if (mac !== was.mac || ip !== was.ip) return 'address';
    if (was.ps && (!ps || pcp !== was.pcp)) return 'PCP';
    if (was.vid === 0 ? vid < 1 || vid > 4094 : vid !== was.vid) return 'VID';
  }
  return null;
}

function vidsOf({ filter }: VdpAssociation): Vid[] {
  return filter.kind === 'opaque' ? [] : filter.entries.map(({ vid }) => vid as Vid);
}

/** Of the error codes (clause 41): what they say, and what to do. */
const ERRORS: readonly (readonly [meaning: string, remedy: string])[] = [
  ['success', 'Nothing to do.'],
  ['invalid format', 'The NVE knows this filter format or VSIID format not: use a UUID as TSI id, or update the NVE.'],
  ['insufficient resources', 'Detach what is no longer used, or widen the VLAN pool of the link at the NVE.'],
  ['VSI Manager unreachable', 'The NVE has lost its NVA (splitnve show nva there): ask again when it is back.'],
  ['other failure', "See the NVE's log for the reason."],
  [
    'invalid VID, GroupID or MAC',
    'Check that the NVA knows the VNI, lets this VSI in, and has given the MAC to nobody else.',
  ],
];
const RESERVED = ['reserved', "See the NVE's log for the reason."] as const;

function refused({ vsi }: StationRecord, { command }: VdpAssociation, { code, hard }: VdpResponseStatus): NveError {
  const [meaning, remedy] = ERRORS[code] ?? RESERVED;
  return nveError('NVE-VDP-006', {
    vsi: vsiText(vsi),
    command,
    code,
    meaning: hard ? `${meaning}; HARD: it will fail again` : meaning,
    remedy,
  });
}

function deAssociated(record: StationRecord, { status }: VdpAssociation): NveError {
  const { code, hard } = readResponseStatus(status);
  const [meaning] = ERRORS[code] ?? RESERVED;
  const said = code === 0 ? 'it sent a De-Assoc' : `error ${code} (${meaning})`;
  const reason = hard ? `${said} with HARD: it is not to be asked for again` : said;
  return nveError('NVE-VDP-005', { vsi: vsiText(record.vsi), reason });
}
