// Raw frames for the checks, as text: hexadecimal for `splitnve inject`, escapes of printf for a UDP datagram. Each carries a mark, by
// which a capture recognizes it.

/** IEEE 802, local experimental EtherType 1. */
export const ETHERTYPE = 0x88b5;
const C_TAG = 0x8100;

export interface FrameFields {
  readonly dst: string;
  readonly src: string;
  /** The VID of its C-TAG; absent: untagged. */
  readonly vid?: number | undefined;
  readonly mark: string;
}

/** An Ethernet frame without FCS. */
export function frame({ dst, src, vid, mark }: FrameFields): Buffer {
  const tag = vid === undefined ? [] : [u16(C_TAG), u16(vid)];
  return Buffer.concat([mac(dst), mac(src), ...tag, u16(ETHERTYPE), Buffer.from(mark, 'ascii')]);
}

/** A VXLAN header (RFC 7348, 5) and a frame: what a UDP datagram to port 4789 carries. */
export function vxlan(vni: number, inner: Buffer): Buffer {
  const header = Buffer.alloc(8);
  header[0] = 0x08;
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, inner]);
}

/** For bash's printf: letters as they are, all else escaped. */
export function escaped(bytes: Buffer): string {
  return [...bytes]
    .map((byte) => {
      const letter = String.fromCharCode(byte);
      return /[\w-]/.test(letter) ? letter : `\\x${byte.toString(16).padStart(2, '0')}`;
    })
    .join('');
}

function mac(text: string): Buffer {
  return Buffer.from(text.replaceAll(':', ''), 'hex');
}

function u16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
