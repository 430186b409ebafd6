/**
 * A frame of an access link, field by field, and what the agent would do with it: made by the code that serves stations, so
 * that both cannot differ. It knows no state: what the NVA or the engine would say is left open.
 */
import type { LinkName, NveError } from '#model';
import {
  associationsOf,
  decodeCisco,
  decodeVdp,
  type FilterFormats,
  isVdpResponse,
  type QualifiedAssociation,
  readRequestStatus,
  readResponseStatus,
  type VdpPdu,
} from '#wire';
import { accessTlvsOf, decodeAccessFrame } from './access-frames.js';
import { vsiText } from './vdp-events.js';
import { vdpRules, wantsOf } from './vdp-mapping.js';
import { refusalOf } from './vdp-status-of.js';

/** Lines of text. `formats`: the filter formats that are understood; absent: the standard's. */
export function explainFrame(octets: Uint8Array, formats?: FilterFormats): string[] {
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
      evb === null
        ? '=> no EVB TLV: no station for VDP'
        : '=> an EVB neighbour: the greater of both sides of each value holds',
    ];
  }
  const { payload, ...ecp } = frame.value.pdu;
  const lines = [...head, '  ECPDU (802.1Q, 43.3.3)', ...fields(ecp, '    ')];
  if (payload.length === 0) return [...lines, '=> no payload: nothing for VDP'];
  const pdu = decodeVdp(payload, formats);
  if (!pdu.ok)
    return [
      ...lines,
      '  VDP PDU (802.1Q, 41.2)',
      ...wrong(pdu.error),
      '=> acknowledged by ECP, then dropped as bad_vdp',
    ];
  return [...lines, ...explainVdp(pdu.value, frame.value.src)];
}

function explainVdp(pdu: VdpPdu, mac: Parameters<typeof wantsOf>[1]['mac']): string[] {
  const lines = ['  VDP PDU (802.1Q, 41.2)', `    managerId: ${pdu.managerId}`];
  for (const qualified of associationsOf(pdu)) {
    const { association, qualifiers } = qualified;
    const { filter, ...head } = association;
    lines.push(`    ${association.command} of VSI ${vsiText(association)} (41.2.1)`, ...fields(head, '      '));
    const status = isVdpResponse(association.status)
      ? readResponseStatus(association.status)
      : readRequestStatus(association.status);
    lines.push(
      '      status, as bits (41.2.3)',
      ...fields(status, '        '),
      `      filter format ${filter.format} (41.2.9)`,
    );
    if (filter.kind === 'opaque') lines.push(...fields(filter, '        '));
    else for (const entry of filter.entries) lines.push(`        ${oneLine(entry)}`);
    for (const tlv of qualifiers) lines.push(`      OUI TLV: ${oneLine(decodeCisco(tlv) ?? tlv)}`);
    lines.push(`=> ${answerTo(qualified, mac, pdu.managerId)}`);
  }
  for (const tlv of pdu.tlvs) if (tlv.kind === 'other') lines.push(`    TLV ${oneLine(tlv)}`, '=> skipped');
  return lines;
}

function answerTo(
  qualified: QualifiedAssociation,
  mac: Parameters<typeof wantsOf>[1]['mac'],
  managerId: string,
): string {
  const { association } = qualified;
  if (isVdpResponse(association.status)) return 'a response: ignored, the agent asks nothing of stations';
  if (association.command === 'deAssociate') return 'success (0x40), also if the VSI is not known';
  // The rules of a configuration are not known here: an entry without GroupID is refused as if there were none.
  const wants = wantsOf(qualified, { port: 'access' as LinkName, svid: null, mac }, managerId, vdpRules());
  if (!wants.ok) {
    const { code, hard } = refusalOf(wants.error);
    return `error ${code}${hard ? ' and HARD' : ''}: ${wants.error.code}: ${wants.error.message}`;
  }
  const tsis = wants.value.map(({ key, vn, macs, ips, vid }) => {
    const tag = vid === null ? "the VN's VID" : `VID ${vid}, if it is the VN's or free`;
    return `TSI ${key.tsi} in VNI ${vn} with ${[...macs, ...ips].join(', ') || 'MACs to be learned'}, ${tag}`;
  });
  return `success (0x40), if it is authorized and there is room: ${tsis.join('; ')}`;
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
