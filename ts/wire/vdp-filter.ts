/**
 * Filter info of VDP association TLVs: which frames belong to the VSI (IEEE 802.1Q clause 41). A format is a row of a
 * table, `code → fields of one entry`; 1 to 4 are the standard's. Further ones (802.1Qcy has some with IP addresses, whose
 * codes are not public) are added by configuration with `filterFormats`.
 */
import { err, type IpAddr, ipFamily, ipFromBytes, ipToBytes, type MacAddr, nveError, ok, type Result } from '#model';
import { type Hex, OctetReader, type OctetWriter, toHex } from './octets.js';

/**
 * `vid` is the word PS(1) PCP(3) VID(12), `groupId` 4 octets (the VNI in the low three: 802.1Qcy), `mac` 6, `ipv4` 4,
 * `ipv6` 16.
 */
export const FILTER_FIELDS = { vid: 2, groupId: 4, mac: 6, ipv4: 4, ipv6: 16 } as const;
export type FilterField = keyof typeof FILTER_FIELDS;

export type FilterFormats = ReadonlyMap<number, readonly FilterField[]>;

export const STANDARD_FILTER_FORMATS: FilterFormats = new Map<number, readonly FilterField[]>([
  [1, ['vid']],
  [2, ['mac', 'vid']],
  [3, ['groupId', 'vid']],
  [4, ['groupId', 'mac', 'vid']],
]);

export interface VdpFilterEntry {
  /** 0 is null: the bridge supplies it. 4095 is reserved. */
  readonly vid: number;
  /** Whether `pcp` means something. In a response it is then the station's default PCP for the VID. */
  readonly ps: boolean;
  readonly pcp: number;
  readonly groupId: number | null;
  readonly mac: MacAddr | null;
  readonly ip: IpAddr | null;
}

export type VdpFilter =
  | { readonly kind: 'entries'; readonly format: number; readonly entries: readonly VdpFilterEntry[] }
  /** A format that is not in the table, or entries that do not fill the TLV: to be answered with error 1, as it came. */
  | {
      readonly kind: 'opaque';
      readonly format: number;
      readonly count: number;
      readonly octets: Hex;
      readonly problem: string;
    };

/** The standard's formats and further ones, or NVE-VAL-002 for a code or a layout that cannot be. */
export function filterFormats(further: Readonly<Record<number, readonly FilterField[]>>): Result<FilterFormats> {
  const formats = new Map(STANDARD_FILTER_FORMATS);
  for (const [text, fields] of Object.entries(further)) {
    const code = Number(text);
    const ips = fields.filter((field) => field === 'ipv4' || field === 'ipv6');
    const good =
      Number.isInteger(code) &&
      code >= 5 &&
      code <= 255 &&
      fields.every((field) => Object.hasOwn(FILTER_FIELDS, field)) &&
      new Set(fields).size === fields.length &&
      fields.includes('vid') &&
      ips.length <= 1;
    if (!good) {
      const rule =
        'a code from 5 to 255 with different fields of vid, groupId, mac and one of ipv4, ipv6; vid is needed';
      return err(nveError('NVE-VAL-002', { what: 'VDP filter format', got: `${text}: ${fields.join(' ')}`, rule }));
    }
    formats.set(code, fields);
  }
  return ok(formats);
}

/** The width of one entry in octets. */
export function entryWidth(fields: readonly FilterField[]): number {
  return fields.reduce((sum, field) => sum + FILTER_FIELDS[field], 0);
}

/** Reads what follows the filter format octet to the end of the TLV. It never fails: see `opaque`. */
export function readFilter(reader: OctetReader, format: number, formats: FilterFormats): VdpFilter {
  const count = reader.u16('filter.count');
  const octets = reader.rest();
  const fields = formats.get(format);
  const opaque = (problem: string): VdpFilter => ({ kind: 'opaque', format, count, octets: toHex(octets), problem });
  if (fields === undefined) return opaque(`filter format ${format} is not known`);
  const width = entryWidth(fields);
  // The count is checked against the octets that are there before anything is made of it (65535 entries in 2 octets).
  if (count * width !== octets.length)
    return opaque(`${count} entries of ${width} octets announced, ${octets.length} octets came`);
  if (count === 0) return opaque('there is no filter entry');
  const from = new OctetReader(octets, 'filter');
  return { kind: 'entries', format, entries: Array.from({ length: count }, () => readEntry(from, fields)) };
}

function readEntry(reader: OctetReader, fields: readonly FilterField[]): VdpFilterEntry {
  const entry = { vid: 0, ps: false, pcp: 0, groupId: null, mac: null, ip: null } as {
    -readonly [K in keyof VdpFilterEntry]: VdpFilterEntry[K];
  };
  for (const field of fields) {
    switch (field) {
      case 'vid': {
        const word = reader.u16('vid');
        entry.vid = word & 0x0fff;
        entry.ps = (word & 0x8000) !== 0;
        entry.pcp = (word >> 12) & 7;
        break;
      }
      case 'groupId':
        entry.groupId = reader.u32('groupId');
        break;
      case 'mac':
        entry.mac = reader.mac('mac');
        break;
      case 'ipv4':
      case 'ipv6': {
        const ip = ipFromBytes(reader.take(field, FILTER_FIELDS[field]));
        entry.ip = ip.ok ? ip.value : null;
        break;
      }
    }
  }
  return entry;
}

/** Writes format, count and entries. */
export function writeFilter(writer: OctetWriter, filter: VdpFilter, formats: FilterFormats): void {
  writer.u8('filter.format', filter.format);
  if (filter.kind === 'opaque') {
    writer.u16('filter.count', filter.count);
    writer.hex('filter.octets', filter.octets);
    return;
  }
  const fields = formats.get(filter.format);
  if (fields === undefined) {
    writer.fail('filter.format', `one of ${[...formats.keys()].join(', ')}`, filter.format);
    return;
  }
  if (filter.entries.length === 0) writer.fail('filter.entries', 'at least 1 entry', '0 entries');
  writer.u16('filter.count', filter.entries.length);
  for (const [i, entry] of filter.entries.entries()) writeEntry(writer, `filter.entries[${i}]`, entry, fields);
}

function writeEntry(writer: OctetWriter, at: string, entry: VdpFilterEntry, fields: readonly FilterField[]): void {
  for (const field of fields) {
    switch (field) {
      case 'vid': {
        const priority = (entry.ps ? 0x8000 : 0) | (writer.bits(`${at}.pcp`, entry.pcp, 3) << 12);
        writer.u16(`${at}.vid`, priority | writer.bits(`${at}.vid`, entry.vid, 12));
        break;
      }
      case 'groupId':
        if (entry.groupId === null) writer.fail(`${at}.groupId`, 'a number', 'missing');
        else writer.u32(`${at}.groupId`, entry.groupId);
        break;
      case 'mac':
        if (entry.mac === null) writer.fail(`${at}.mac`, 'a MAC address', 'missing');
        else writer.mac(entry.mac);
        break;
      case 'ipv4':
      case 'ipv6': {
        const family = field === 'ipv4' ? 4 : 6;
        if (entry.ip === null || ipFamily(entry.ip) !== family)
          writer.fail(`${at}.ip`, `an IPv${family} address`, entry.ip ?? 'missing');
        else writer.bytes(`${at}.ip`, ipToBytes(entry.ip));
        break;
      }
    }
  }
}
