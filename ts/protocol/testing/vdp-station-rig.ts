/** For tests of VDP's station side: a station whose bridge the test plays, and effects in one line each. */
import { responseStatus, type VdpAssociation, type VdpResponseStatus } from '#wire';
import { VdpStation, type VdpStationOptions } from '../vdp-station.js';
import type { StationCommand, StationVsi, VdpStationEffect, VdpStationEvent } from '../vdp-station-events.js';
import { type EntryOf, entry, MANAGER, pdu, tlvLine, vsi } from './vdp-rig.js';

export function stationVsi(n = 1, entries: readonly EntryOf[] = [{}], filterFormat = 4): StationVsi {
  return {
    ...vsi(n),
    managerId: MANAGER,
    typeId: 7,
    typeVersion: 1,
    filterFormat,
    entries: entries.map(entry),
    qualifiers: [],
  };
}

export class StationRig {
  readonly station: VdpStation;
  now = 0;
  /** The PDU that was sent last. */
  sent: VdpAssociation[] = [];
  token = 0;
  #request = 0;

  constructor(options: VdpStationOptions = {}) {
    this.station = new VdpStation(options);
  }

  raw(event: VdpStationEvent | readonly VdpStationEvent[]): VdpStationEffect[] {
    const effects = [...this.station.handle(event, this.now)];
    for (const effect of [...effects]) {
      if (effect.type !== 'send') continue;
      this.sent = effect.pdu.tlvs.filter((tlv) => tlv.kind === 'association');
      this.token = effect.token;
      effects.push(...this.raw({ type: 'delivered', token: effect.token }));
    }
    return effects;
  }

  do(event: VdpStationEvent | readonly VdpStationEvent[]): string[] {
    return this.raw(event).flatMap(stationLine);
  }

  associate(command: StationCommand, vsi = stationVsi(), hints = { suspended: false, migrating: false }): string[] {
    this.#request += 1;
    return this.do({ type: 'associate', request: this.#request, command, vsi, hints });
  }

  deAssociate(n = 1): string[] {
    this.#request += 1;
    return this.do({ type: 'deAssociate', request: this.#request, vsi: vsi(n) });
  }

  /** The bridge answers what was sent last, null VIDs with 100 and on; `change` may spoil it. */
  answer(
    status: Partial<VdpResponseStatus> = {},
    change: (sent: VdpAssociation) => VdpAssociation = (one) => one,
  ): string[] {
    const answers = this.sent.map((sent): VdpAssociation => {
      const { filter } = sent;
      const entries =
        filter.kind === 'opaque' ? [] : filter.entries.map((one, i) => ({ ...one, vid: one.vid || 100 + i }));
      const { format } = filter;
      return change({ ...sent, status: responseStatus(status), filter: { kind: 'entries', format, entries } });
    });
    return this.do({ type: 'pdu', pdu: pdu(...answers) });
  }

  /** The bridge ends what it holds. */
  revoke(): string[] {
    return this.answer({}, (one) => ({ ...one, command: 'deAssociate', status: 0 }));
  }

  expire(): string[] {
    this.now = this.station.nextDeadline() ?? this.now;
    return this.do({ type: 'tick' });
  }

  states(): string {
    return (
      this.station
        .rows()
        .map(({ state }) => state)
        .join(' ') || 'init'
    );
  }
}

export function stationLine(effect: VdpStationEffect): string[] {
  switch (effect.type) {
    case 'send':
      return [`send ${effect.pdu.tlvs.map(tlvLine).join(' + ')}`];
    case 'answer': {
      const { request, result } = effect;
      return [`answer ${request} ${result.ok ? (result.value?.vids.join(' ') ?? 'gone') : result.error.code}`];
    }
    case 'ended':
      return [`ended ${effect.error.code}${effect.retry ? ' retry' : ''}`];
    case 'log':
      return [];
  }
}
