/**
 * Frames of an access link, field by field, and what the agent would do with them: made by the code that serves stations, so
 * that both cannot differ. It knows no state: what the NVA or the engine would say is left open.
 */
import { type LinkName, type NveError, ok, type Result, type Vid } from '#model';
import {
  associationsOf,
  type CdcpTlv,
  decodeCisco,
  decodeEthernet,
  decodePcap,
  decodeVdp,
  ETHERTYPES,
  type FilterFormats,
  isVdpResponse,
  type QualifiedAssociation,
  readRequestStatus,
  readResponseStatus,
  type VdpPdu,
} from '#wire';
import { accessTlvsOf, channelOf, decodeAccessFrame } from './access-frames.js';
import { type VdpPeer, vsiText } from './vdp-events.js';
import { type VdpMappingRules, vdpRules, wantsOf } from './vdp-mapping.js';
import { refusalOf, type VdpRefusal } from './vdp-status-of.js';

/** What an agent has been told; absent: the standard's filter formats, no rules. */
export interface ExplainOptions {
  /** Where the frame was seen; absent: at some link that no rule names. */
  readonly link?: LinkName | undefined;
  readonly formats?: FilterFormats | undefined;
  readonly rules?: VdpMappingRules | undefined;
}

export interface Explained {
  readonly lines: readonly string[];
  /** Where a capture is wrong before its end; null: all of it was read. */
  readonly problem: NveError | null;
}

/** All LLDP and ECP of a pcap file, by the numbers of the frames. An error, if it is no such file. */
export function explainCapture(octets: Uint8Array, options: ExplainOptions = {}): Result<Explained> {
  const pcap = decodePcap(octets);
  if (!pcap.ok) return pcap;
  const { frames, problem } = pcap.value;
  const lines: string[] = [];
  let others = 0;
  for (const frame of frames) {
    if (isOther(frame.octets)) {
      others++;
      continue;
    }
    const cut =
      frame.length > frame.octets.length
        ? `, cut by the capture: ${frame.octets.length} of ${frame.length} octets`
        : '';
    lines.push(`Frame ${frame.number}${cut}`, ...explainFrame(frame.octets, options), '');
  }
  lines.push(`Frames: ${frames.length}, of these neither LLDP nor ECP: ${others}`);
  return ok({ lines, problem });
}

function isOther(octets: Uint8Array): boolean {
  const frame = decodeEthernet(octets);
  return frame.ok && frame.value.ethertype !== ETHERTYPES.lldp && frame.value.ethertype !== ETHERTYPES.ecp;
}

/** Lines of text. */
export function explainFrame(octets: Uint8Array, options: ExplainOptions = {}): string[] {
  const frame = decodeAccessFrame(octets);
  if (!frame.ok) return wrong(frame.error);
  const { kind, dst, src, tags } = frame.value;
  const head = [
    `${kind.toUpperCase()} from ${src} to ${dst}`,
    ...tags.map((tag) => `  ${tag.kind} ${tag.vid}, PCP ${tag.pcp}: an S-channel (802.1Q, 42)`),
  ];
  if (frame.value.kind === 'lldp') {
    const { pdu } = frame.value;
    const { evb, cdcp, problems } = accessTlvsOf(pdu);
    return [
      ...head,
      '  LLDPDU (802.1AB, 8)',
      ...fields(pdu, '    '),
      ...(evb === null ? [] : ['  EVB TLV (802.1Q, D.2.12)', ...fields(evb, '    ')]),
      ...(cdcp === null ? [] : ['  CDCP TLV (802.1Q, D.2.13)', ...fields(cdcp, '    ')]),
      ...problems.flatMap(wrong),
      ...(evb === null ? [] : ['=> an EVB neighbour: the greater of both sides of each value holds']),
      ...(cdcp === null ? [] : [`=> a CDCP neighbour: ${channelsOf(cdcp)}`]),
      ...(evb === null && cdcp === null ? ['=> neither EVB nor CDCP TLV: no station for VDP'] : []),
    ];
  }
  const { payload, ...ecp } = frame.value.pdu;
  const lines = [...head, '  ECPDU (802.1Q, 43)', ...fields(ecp, '    ')];
  if (payload.length === 0) return [...lines, '=> no payload: nothing for VDP'];
  const pdu = decodeVdp(payload, options.formats);
  if (!pdu.ok)
    return [...lines, '  VDP PDU (802.1Q, 41)', ...wrong(pdu.error), '=> acknowledged by ECP, then dropped as bad_vdp'];
  const svid = (channelOf(frame.value) ?? null) as Vid | null;
  const peer = { port: options.link ?? ('access' as LinkName), svid, mac: src };
  return [...lines, ...explainVdp(pdu.value, peer, options)];
}

function channelsOf({ sComponent, pairs }: CdcpTlv): string {
  if (!sComponent) return 'it has no S-channels';
  return pairs
    .map(({ scid, svid }) => `SCID ${scid} ${svid === 0 ? 'without SVID yet' : `is SVID ${svid}`}`)
    .join(', ');
}

function explainVdp(pdu: VdpPdu, peer: VdpPeer, options: ExplainOptions): string[] {
  const lines = ['  VDP PDU (802.1Q, 41)', `    managerId: ${pdu.managerId}`];
  for (const qualified of associationsOf(pdu)) {
    const { association, qualifiers } = qualified;
    const { filter, ...head } = association;
    lines.push(`    ${association.command} of VSI ${vsiText(association)} (802.1Q, 41)`, ...fields(head, '      '));
    const status = isVdpResponse(association.status)
      ? readResponseStatus(association.status)
      : readRequestStatus(association.status);
    lines.push('      status, as bits', ...fields(status, '        '), `      filter format ${filter.format}`);
    if (filter.kind === 'opaque') lines.push(...fields(filter, '        '));
    else for (const entry of filter.entries) lines.push(`        ${oneLine(entry)}`);
    for (const tlv of qualifiers) lines.push(`      OUI TLV: ${oneLine(decodeCisco(tlv) ?? tlv)}`);
    lines.push(`=> ${answerTo(qualified, peer, pdu.managerId, options)}`);
  }
  for (const tlv of pdu.tlvs) if (tlv.kind === 'other') lines.push(`    TLV ${oneLine(tlv)}`, '=> skipped');
  return lines;
}

function answerTo(
  qualified: QualifiedAssociation,
  peer: VdpPeer,
  managerId: string,
  { rules = vdpRules() }: ExplainOptions,
): string {
  const { association } = qualified;
  if (isVdpResponse(association.status)) {
    const { keep, ...refusal } = readResponseStatus(association.status);
    const said =
      refusal.code === 0 ? 'success' : `${errorText(refusal)}${keep ? ', KEEP: the earlier association holds' : ''}`;
    return `a response: ${said}; an agent ignores it, it asks nothing of stations`;
  }
  if (association.command === 'deAssociate') return 'success (0x40), also if the VSI is not known';
  const wants = wantsOf(qualified, peer, managerId, rules);
  if (!wants.ok) return `${errorText(refusalOf(wants.error))}: ${wants.error.code}: ${wants.error.message}`;
  const tsis = wants.value.map(({ key, vn, macs, ips, vid }) => {
    const tag = vid === null ? "the VN's VID" : `VID ${vid}, if it is the VN's or free`;
    const who = [...macs, ...ips].join(', ') || 'MACs to be learned';
    return `TSI ${key.tsi} in ${typeof vn === 'number' ? `VNI ${vn}` : `VN ${vn}`} with ${who}, ${tag}`;
  });
  return `success (0x40), if it is authorized and there is room: ${tsis.join('; ')}`;
}

function errorText({ code, hard }: VdpRefusal): string {
  return `error ${code}${hard ? ' and HARD' : ''}`;
}

function wrong({ code, message, context }: NveError): string[] {
  return [
    `  MALFORMED at ${context['at']}: expected ${context['expected']}, got ${context['got']} (${code})`,
    `  ${message}`,
  ];
}

function fields(value: object, indent: string): string[] {
  return Object.entries(value).map(([name, field]) => `${indent}${name}: ${oneLine(field)}`);
}

function oneLine(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
