import { describe, expect, it } from 'vitest';
import { nameOfCertificate, uriOfCertificate } from './names.js';

describe('nameOfCertificate', () => {
  it.each<[string, Parameters<typeof nameOfCertificate>[0], string | null]>([
    ['a URI among others', { subjectaltname: 'DNS:a, URI:spiffe://x/y, IP Address:127.0.0.1' }, 'spiffe://x/y'],
    [
      'a quoted URI',
      { subjectaltname: 'DNS:a, URI:"spiffe://x/a, URI:spiffe://x/b"' },
      'spiffe://x/a, URI:spiffe://x/b',
    ],
    ['a DNS name that looks like a URI', { subjectaltname: 'DNS:"a, URI:spiffe://x/b"' }, null],
    ['a CN beside a DNS name', { subject: { CN: 'hv1' } as never, subjectaltname: 'DNS:a' }, 'hv1'],
    ['nothing', {}, null],
  ])('%s', (_, certificate, name) => {
    expect(nameOfCertificate(certificate)).toBe(name);
  });
});

describe('uriOfCertificate', () => {
  it.each<[string, Parameters<typeof uriOfCertificate>[0], string | null]>([
    ['a URI among others', { subjectaltname: 'DNS:a, URI:spiffe://x/nve/a' }, 'spiffe://x/nve/a'],
    ['two URIs', { subjectaltname: 'URI:spiffe://x/nve/a, URI:spiffe://x/nva/b' }, null],
    ['a CN only', { subject: { CN: 'spiffe://x/nve/a' } as never }, null],
  ])('%s', (_, certificate, uri) => {
    expect(uriOfCertificate(certificate)).toBe(uri);
  });
});
