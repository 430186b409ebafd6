/** For tests of VDP: short names for TLVs, a bridge whose TSI life cycle the test plays, and effects in one line each. */
import {
  type IpAddr,
  type LinkName,
  type MacAddr,
  type NveError,
  nveError,
  type Result,
  type TsiRow,
  tsiKeyText,
  type Vid,
  type VnName,
} from '#model';
import {
  isVdpResponse,
  type QualifiedAssociation,
  readResponseStatus,
  requestStatus,
  type VdpAssociation,
  type VdpCommand,
  type VdpFilterEntry,
  type VdpPdu,
  type VdpTlv,
} from '#wire';
import { VdpBridge, type VdpBridgeOptions } from '../vdp-bridge.js';
import type { TsiCommand, VdpBridgeEffect, VdpBridgeEvent, VdpPeer } from '../vdp-events.js';
import { vdpRules } from '../vdp-mapping.js';

export const MANAGER = `${'00'.repeat(15)}01`;
export const peer = (n = 1, port = 'acc0'): VdpPeer => ({
  port: port as LinkName,
  svid: null,
  mac: `02:aa:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr,
});
/** 16 octets that end in `n`. */
export const vsiid = (n = 1): string => `${'ab'.repeat(14)}${n.toString(16).padStart(4, '0')}`;
export const vsi = (n = 1) => ({ vsiidFormat: 4, vsiid: vsiid(n) });
export const mac = (n: number): MacAddr => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;

export interface EntryOf {
  readonly vni?: number | null;
  readonly mac?: number | null;
  readonly vid?: number;
  readonly ip?: string | null;
}

export function entry({ vni = 5001, mac: n = 1, vid = 0, ip = null }: EntryOf = {}): VdpFilterEntry {
  return { vid, ps: false, pcp: 0, groupId: vni, mac: n === null ? null : mac(n), ip: ip as IpAddr | null };
}

export interface TlvOf {
  readonly vsi?: number;
  readonly entries?: readonly EntryOf[];
  readonly format?: number;
  readonly suspended?: boolean;
  readonly migrating?: boolean;
  readonly typeId?: number;
}

export function tlv(command: VdpCommand, of: TlvOf = {}): VdpAssociation {
  const { vsi: n = 1, entries = [{}], format = 4, typeId = 7, ...hints } = of;
  return {
    kind: 'association',
    command,
    status: requestStatus(hints),
    typeId,
    typeVersion: 1,
    ...vsi(n),
    filter: { kind: 'entries', format, entries: entries.map(entry) },
  };
}

export const pdu = (...tlvs: VdpTlv[]): VdpPdu => ({ managerId: MANAGER, tlvs });
export const alone = (association: VdpAssociation): QualifiedAssociation => ({ association, qualifiers: [] });

export const ANY_ERROR: NveError = nveError('NVE-NVA-002', { tsi: 't', vn: 'blue', reason: 'no rule' });

/** The row that the TSI life cycle would answer with. */
export function rowFor(command: TsiCommand, vid: number): TsiRow {
  if (command.type !== 'associate') throw new Error(`no row for ${command.type}`);
  const { key, macs, ips, upTo } = command;
  return {
    ...key,
    vn: 'blue' as VnName,
    state: upTo,
    tag: { kind: 'c-tag', vid: vid as Vid },
    macs: [...macs],
    ips: [...ips],
    mtu: null,
    cause: null,
  };
}

/** A bridge, and what it has asked of the TSI life cycle. VNI 5001 gets VID 100, and so on. */
export class BridgeRig {
  readonly bridge: VdpBridge;
  readonly asked: TsiCommand[] = [];
  now = 0;
  isSlow = false;

  constructor(options: Partial<VdpBridgeOptions> = {}) {
    this.bridge = new VdpBridge({
      rules: vdpRules(),
      ...options,
    });
  }

  /** ECP delivers at once what is sent, unless `isSlow`. */
  raw(event: VdpBridgeEvent): VdpBridgeEffect[] {
    const effects = [...this.bridge.handle(event, this.now)];
    for (const effect of [...effects]) {
      if (effect.type === 'tsi') this.asked.push(effect.command);
      if (effect.type === 'send' && !this.isSlow) effects.push(...this.raw({ type: 'delivered', token: effect.token }));
    }
    return effects;
  }

  do(event: VdpBridgeEvent): string[] {
    return this.raw(event).flatMap(bridgeLine);
  }

  tell(...tlvs: VdpTlv[]): string[] {
    return this.do({ type: 'pdu', peer: peer(), pdu: pdu(...tlvs) });
  }

  /** Answers all that is asked, in order, each with success, until nothing is left. */
  grant(): string[] {
    return this.#answer((command) => ({ ok: true, value: this.#value(command) }));
  }

  /** The first one fails, what is asked then succeeds. */
  refuse(error: NveError = ANY_ERROR): string[] {
    let isFirst = true;
    return this.#answer((command) => {
      if (!isFirst) return { ok: true, value: this.#value(command) };
      isFirst = false;
      return { ok: false, error };
    });
  }

  /** Lets time pass until the next deadline. */
  expire(): string[] {
    this.now = this.bridge.nextDeadline() ?? this.now;
    return this.do({ type: 'tick' });
  }

  states(): string {
    return (
      this.bridge
        .rows()
        .map(({ state }) => state)
        .join(' ') || 'init'
    );
  }

  #value(command: TsiCommand): TsiRow | null {
    if (command.type !== 'associate') return null;
    return rowFor(command, typeof command.vn === 'number' ? command.vn - 4901 : 200);
  }

  #answer(result: (command: TsiCommand) => Result<TsiRow | null>): string[] {
    const lines: string[] = [];
    for (let next = this.asked.shift(); next !== undefined; next = this.asked.shift()) {
      if (next.type === 'expire') continue;
      lines.push(...this.do({ type: 'tsiAnswer', request: next.request, result: result(next) }));
    }
    return lines;
  }
}

/** `associate ok [100]`, `associate KEEP 5 HARD [0]`, `deAssociate [100]` (unsolicited). */
export function tlvLine(one: VdpTlv): string {
  if (one.kind !== 'association') return one.kind;
  const { command, status, filter } = one;
  const vids = filter.kind === 'opaque' ? '?' : `[${filter.entries.map(({ vid }) => vid).join(' ')}]`;
  if (!isVdpResponse(status)) return `${command}${status === 0 ? '' : ` ${status.toString(16)}`} ${vids}`;
  const { keep, hard, code } = readResponseStatus(status);
  const said = code === 0 ? 'ok' : `${keep ? 'KEEP ' : ''}${code}${hard ? ' HARD' : ''}`;
  return `${command} ${said} ${vids}`;
}

/** Logs are left out: the state that the table names says the same. */
export function bridgeLine(effect: VdpBridgeEffect): string[] {
  switch (effect.type) {
    case 'send':
      return [`send ${effect.pdu.tlvs.map(tlvLine).join(' + ')}`];
    case 'tsi':
      return [commandLine(effect.command)];
    case 'log':
      return [];
  }
}

function commandLine(command: TsiCommand): string {
  if (command.type === 'expire') return 'expire';
  const where = tsiKeyText(command.key).replace(/^(ab){14}0*/, '');
  if (command.type !== 'associate') return `${command.type} ${where}`;
  const { upTo, macs, ips, vid, hints } = command;
  const tail = macs.map((one) => Number.parseInt(one.slice(-2), 16));
  const said = `${hints?.suspended ? ' S' : ''}${hints?.migrating ? ' M' : ''}`;
  return `${upTo} ${where} [${[...tail, ...ips].join(' ')}]${vid == null ? '' : ` vid ${vid}`}${said}`;
}
