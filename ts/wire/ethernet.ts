/**
 * Ethernet headers of the frames that are punted to the agent and injected by it: addresses, tags, ethertype.
 */
import { err, type MacAddr, ok, type Result } from '#model';
import { OctetReader, OctetWriter, octetError } from './octets.js';

/** Group addresses of IEEE 802.1Q table 8-1, which bridges do not forward. */
export const GROUP_ADDRESSES = {
  /** EVB TLV in LLDP, VDP over ECP: passes a port-mapping S-VLAN component. */
  nearestCustomerBridge: '01:80:c2:00:00:00' as MacAddr,
  /** CDCP TLV in LLDP. */
  nearestNonTpmrBridge: '01:80:c2:00:00:03' as MacAddr,
  /** Ordinary LLDP. */
  nearestBridge: '01:80:c2:00:00:0e' as MacAddr,
} as const;

export const ETHERTYPES = { lldp: 0x88cc, ecp: 0x8940, cTag: 0x8100, sTag: 0x88a8 } as const;

/** The agent never sends more: lldpad copies a longer ECP frame over the end of its buffer. */
export const ACCESS_FRAME_MAX = 1514;
/** Two tags are the most that an access link has (S-channel and C-TAG). */
const TAGS_MAX = 2;

export interface EthernetTag {
  readonly kind: 'c-tag' | 's-tag';
  readonly pcp: number;
  readonly dei: boolean;
  /** 0 is a priority tag. */
  readonly vid: number;
}

export interface EthernetHeader {
  readonly dst: MacAddr;
  readonly src: MacAddr;
  /** Outermost first. */
  readonly tags: readonly EthernetTag[];
}

export interface EthernetFrame extends EthernetHeader {
  readonly ethertype: number;
  /** Not copied. With the padding that a short frame has. */
  readonly payload: Uint8Array;
}

export function decodeEthernet(frame: Uint8Array): Result<EthernetFrame> {
  const reader = new OctetReader(frame, 'ethernet');
  const dst = reader.mac('dst');
  const src = reader.mac('src');
  const tags: EthernetTag[] = [];
  let ethertype = reader.u16('ethertype');
  while (ethertype === ETHERTYPES.cTag || ethertype === ETHERTYPES.sTag) {
    if (tags.length === TAGS_MAX) return err(octetError('ethernet.tags', `at most ${TAGS_MAX} tags`, 'more'));
    const tci = reader.u16(`tags[${tags.length}]`);
    tags.push({
      kind: ethertype === ETHERTYPES.cTag ? 'c-tag' : 's-tag',
      pcp: tci >> 13,
      dei: (tci & 0x1000) !== 0,
      vid: tci & 0x0fff,
    });
    ethertype = reader.u16('ethertype');
  }
  if (reader.error !== null) return err(reader.error);
  return ok({ dst, src, tags, ethertype, payload: reader.rest() });
}

/** Not padded to 60 octets: that is the port's business. */
export function encodeEthernet(frame: EthernetFrame): Result<Uint8Array> {
  const writer = new OctetWriter('ethernet', ACCESS_FRAME_MAX + 4 * TAGS_MAX);
  writer.mac(frame.dst);
  writer.mac(frame.src);
  if (frame.tags.length > TAGS_MAX) writer.fail('tags', `at most ${TAGS_MAX} tags`, frame.tags.length);
  for (const [i, { kind, pcp, dei, vid }] of frame.tags.entries()) {
    writer.u16('tags', kind === 'c-tag' ? ETHERTYPES.cTag : ETHERTYPES.sTag);
    const tci = (writer.bits(`tags[${i}].pcp`, pcp, 3) << 13) | writer.bits(`tags[${i}].vid`, vid, 12);
    writer.u16(`tags[${i}]`, tci | (dei ? 0x1000 : 0));
  }
  writer.u16('ethertype', frame.ethertype);
  writer.bytes('payload', frame.payload);
  return writer.error === null ? ok(writer.octets()) : err(writer.error);
}
