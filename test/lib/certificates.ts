// X.509 certificates for tests: an authority that issues what a test needs, right or wrong, without a program or a library. Ed25519
// would be shorter, P-256 is what people use.

import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateOptions {
  /** None, one or more. */
  readonly cn?: string | readonly string[];
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  /** IPv4. */
  readonly ips?: readonly string[];
  readonly notAfter?: Date;
}

/** Paths of PEM files. */
export interface Identity {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
}

export class Authority {
  readonly #directory: string;
  readonly #name: string;
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  /** The PEM file of its certificate. */
  readonly file: string;

  /** Files go to the directory. */
  constructor(directory: string, name: string) {
    this.#directory = directory;
    this.#name = name;
    const der = this.#certificate(
      this.#keys.publicKey,
      [name],
      [extension(BASIC_CONSTRAINTS, true, seq(BOOLEAN_TRUE))],
    );
    this.file = join(directory, `${name}.pem`);
    writeFileSync(this.file, pem(der));
  }

  /** A certificate of this authority with its key. `ca` of the result is this authority: another may be put there. */
  issue(file: string, { cn = [], uris = [], dns = [], ips = [], notAfter }: CertificateOptions): Identity {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const names = [
      ...dns.map((name) => tlv(0x82, Buffer.from(name))),
      ...uris.map((uri) => tlv(0x86, Buffer.from(uri))),
      ...ips.map((ip) => tlv(0x87, Buffer.from(ip.split('.').map(Number)))),
    ];
    const extensions = names.length === 0 ? [] : [extension(SUBJECT_ALT_NAME, false, seq(...names))];
    const der = this.#certificate(publicKey, typeof cn === 'string' ? [cn] : cn, extensions, notAfter);
    const [cert, key] = [join(this.#directory, `${file}.crt`), join(this.#directory, `${file}.key`)];
    writeFileSync(cert, pem(der));
    writeFileSync(key, privateKey.export({ type: 'pkcs8', format: 'pem' }));
    return { ca: this.file, cert, key };
  }

  /** RFC 5280 section 4.1. */
  #certificate(publicKey: KeyObject, cns: readonly string[], extensions: Buffer[], notAfter?: Date): Buffer {
    const end = notAfter ?? new Date(Date.now() + 86_400_000);
    const start = new Date(Math.min(Date.now(), end.getTime()) - 86_400_000);
    const tbs = seq(
      tlv(0xa0, tlv(0x02, Buffer.of(2))),
      tlv(0x02, Buffer.concat([Buffer.of(1), randomBytes(8)])),
      ECDSA_SHA256,
      nameOf([this.#name]),
      seq(utcTime(start), utcTime(end)),
      nameOf(cns),
      publicKey.export({ type: 'spki', format: 'der' }),
      ...(extensions.length === 0 ? [] : [tlv(0xa3, seq(...extensions))]),
    );
    const signature = sign('sha256', tbs, this.#keys.privateKey);
    return seq(tbs, ECDSA_SHA256, tlv(0x03, Buffer.concat([Buffer.of(0), signature])));
  }
}

// DER (X.690)

const oid = (...bytes: number[]): Buffer => tlv(0x06, Buffer.from(bytes));
const BOOLEAN_TRUE = tlv(0x01, Buffer.of(0xff));
const COMMON_NAME = oid(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = oid(0x55, 0x1d, 0x13);
const SUBJECT_ALT_NAME = oid(0x55, 0x1d, 0x11);
const ECDSA_SHA256 = seq(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));

function tlv(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.of(tag, ...size), content]);
}

function seq(...items: Uint8Array[]): Buffer {
  return tlv(0x30, Buffer.concat(items));
}

function nameOf(cns: readonly string[]): Buffer {
  return seq(...cns.map((cn) => tlv(0x31, seq(COMMON_NAME, tlv(0x0c, Buffer.from(cn))))));
}

function utcTime(date: Date): Buffer {
  const text = date.toISOString().replace(/\D/g, '').slice(2, 14);
  return tlv(0x17, Buffer.from(`${text}Z`));
}

function extension(id: Buffer, isCritical: boolean, value: Buffer): Buffer {
  return seq(id, ...(isCritical ? [BOOLEAN_TRUE] : []), tlv(0x04, value));
}

function pem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}
