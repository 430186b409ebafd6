// Frames as bytes, and files of them (libpcap's classic format). Written out from the standards; it shares no code with the product.
import { readFileSync, writeFileSync } from 'node:fs';

/** @param {string} text `02:00:00:00:00:01` */
export const macBytes = (text) => Buffer.from(text.replaceAll(':', ''), 'hex');

/** @param {string} text `192.0.2.1` */
export const ipBytes = (text) => Buffer.from(text.split('.').map(Number));

/** @param {number} value */
const u16 = (value) => Buffer.from([value >> 8, value & 0xff]);

/** The one's complement sum of 16-bit words (RFC 1071), folded. @param {Buffer} bytes of even length */
export function onesSum(bytes) {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += bytes.readUInt16BE(at);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
  return sum;
}

/**
 * @param {string} to
 * @param {string} from
 * @param {number} etherType
 * @param {Buffer} payload
 */
export const ethernet = (to, from, etherType, payload) =>
  Buffer.concat([macBytes(to), macBytes(from), u16(etherType), payload]);

/** The frame with a C-TAG (802.1Q, 9.6) of priority 0. @param {Buffer} frame @param {number} vid */
export const tagged = (frame, vid) => Buffer.concat([frame.subarray(0, 12), u16(0x8100), u16(vid), frame.subarray(12)]);

/**
 * IPv4 (RFC 791) with UDP (RFC 768), without a UDP checksum.
 * @param {{ source: string, destination: string, sourcePort: number, destinationPort: number }} flow
 * @param {Buffer} payload
 */
export function udp({ source, destination, sourcePort, destinationPort }, payload) {
  const length = 8 + payload.length;
  const fixed = Buffer.from([0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 17, 0, 0]);
  const header = Buffer.concat([fixed, ipBytes(source), ipBytes(destination)]);
  header.writeUInt16BE(20 + length, 2);
  header.writeUInt16BE(~onesSum(header) & 0xffff, 10);
  return Buffer.concat([header, u16(sourcePort), u16(destinationPort), u16(length), u16(0), payload]);
}

/** A VXLAN header (RFC 7348, 5) and a frame. @param {number} vni @param {Buffer} frame */
export function vxlan(vni, frame) {
  const header = Buffer.from([8, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUIntBE(vni, 4, 3);
  return Buffer.concat([header, frame]);
}

const FILE_HEADER = 24;
const RECORD_HEADER = 16;
const MAGIC = 0xa1b2c3d4;

/** @param {string} file @param {readonly Buffer[]} frames */
export function writePcap(file, frames) {
  const header = Buffer.alloc(FILE_HEADER);
  header.writeUInt32LE(MAGIC, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(1, 20); // Ethernet
  const records = frames.flatMap((frame) => {
    const record = Buffer.alloc(RECORD_HEADER);
    record.writeUInt32LE(frame.length, 8);
    record.writeUInt32LE(frame.length, 12);
    return [record, frame];
  });
  writeFileSync(file, Buffer.concat([header, ...records]));
}

/** @param {string} file @returns {Buffer[]} */
export function readPcap(file) {
  const bytes = readFileSync(file);
  // 0xa1b23c4d is the same format with nanoseconds.
  if (![MAGIC, 0xa1b23c4d].includes(bytes.readUInt32LE(0))) throw new Error(`${file} is no pcap file of this machine`);
  const frames = [];
  for (let at = FILE_HEADER; at < bytes.length; ) {
    const length = bytes.readUInt32LE(at + 8);
    const start = at + RECORD_HEADER;
    if (start + length > bytes.length) throw new Error(`${file} ends inside a frame`);
    frames.push(bytes.subarray(start, start + length));
    at = start + length;
  }
  return frames;
}
