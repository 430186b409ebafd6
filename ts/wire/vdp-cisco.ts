/**
 * Cisco's organizationally specific TLVs in VDP (OUI 00-00-0C), which a stock lldpad can send. 0xF2 carries the TSI's IPv4
 * address, which the base filter formats cannot.
 */
import { err, type IpAddr, ipFamily, ipFromBytes, ipToBytes, ok, type Result } from '#model';
import { fromHex, type Hex, OctetReader, OctetWriter, toHex } from './octets.js';
import type { VdpOuiTlv } from './vdp.js';

const CISCO_OUI: Hex = '00000c';
const VM = 0xf1;
const IPV4 = 0xf2;
/** The only format of a VM's id that is known. */
const UUID_FORMAT = 5;
/** Address family number of IPv4 (IANA). */
const AFI_IPV4 = 1;
const NAME_MAX = 255;

interface Of {
  readonly vsiidFormat: number;
  readonly vsiid: Hex;
}

export type CiscoTlv =
  | (Of & { readonly kind: 'vm'; readonly uuid: Hex; readonly name: string })
  | (Of & { readonly kind: 'ipv4'; readonly ip: IpAddr });

/** null: not one of these two, or not as they are. */
export function decodeCisco(tlv: VdpOuiTlv): CiscoTlv | null {
  const octets = fromHex(tlv.octets);
  if (tlv.oui !== CISCO_OUI || octets === null) return null;
  const reader = new OctetReader(octets, 'cisco');
  const of = { vsiidFormat: reader.u8('vsiidFormat'), vsiid: reader.hex('vsiid', 16) };
  if (tlv.subtype === VM) {
    if (reader.u8('uuidFormat') !== UUID_FORMAT) return null;
    const uuid = reader.hex('uuid', 16);
    const name = latin1(reader.rest());
    return reader.error === null && name !== null ? { kind: 'vm', ...of, uuid, name } : null;
  }
  if (tlv.subtype !== IPV4 || reader.u16('afi') !== AFI_IPV4) return null;
  const ip = ipFromBytes(reader.take('ip', 4));
  // A second octet string after the address would be a newer form: it is ignored.
  return reader.error === null && ip.ok ? { kind: 'ipv4', ...of, ip: ip.value } : null;
}

export function encodeCisco(cisco: CiscoTlv): Result<VdpOuiTlv> {
  const writer = new OctetWriter('cisco', 507);
  writer.u8('vsiidFormat', cisco.vsiidFormat);
  writer.hex('vsiid', cisco.vsiid, 16);
  switch (cisco.kind) {
    case 'vm':
      writer.u8('uuidFormat', UUID_FORMAT);
      writer.hex('uuid', cisco.uuid, 16);
      for (const char of cisco.name) {
        const code = char.charCodeAt(0);
        if (!printable(code)) writer.fail('name', 'printable ASCII', cisco.name);
        else writer.u8('name', code);
      }
      if (cisco.name.length > NAME_MAX) writer.fail('name', `at most ${NAME_MAX} characters`, cisco.name.length);
      break;
    case 'ipv4':
      writer.u16('afi', AFI_IPV4);
      if (ipFamily(cisco.ip) !== 4) writer.fail('ip', 'an IPv4 address', cisco.ip);
      else writer.bytes('ip', ipToBytes(cisco.ip));
      break;
  }
  if (writer.error !== null) return err(writer.error);
  const subtype = cisco.kind === 'vm' ? VM : IPV4;
  return ok({ kind: 'oui', oui: CISCO_OUI, subtype, octets: toHex(writer.octets()) });
}

function printable(code: number): boolean {
  return code >= 0x20 && code <= 0x7e;
}

/** Printable ASCII, a closing zero allowed: it goes into logs. */
function latin1(octets: Uint8Array): string | null {
  const end = octets.indexOf(0);
  const text = end < 0 ? octets : octets.subarray(0, end);
  return text.length <= NAME_MAX && text.every(printable) ? String.fromCharCode(...text) : null;
}
