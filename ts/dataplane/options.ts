// The options of objects as dumps tell them: docs/engine.md, `apply`. What has its default is absent.

import { Keys, present } from './reader.js';
import type { VapOptions, VnOptions } from './types.js';

const U32 = 0xffff_ffff;

export function decodeVnOptions(value: unknown, at: string): VnOptions {
  const keys = new Keys(value, at);
  return present<VnOptions>({
    unknown: keys.one('unknown', (r) => r.oneOf('value', ['drop', 'query', 'flood'])),
    learn: keys.bool('learn'),
    suppress: keys.bool('suppress'),
    aclIn: keys.uint('acl_in', U32),
    aclOut: keys.uint('acl_out', U32),
    strict: keys.bool('strict'),
    dscpOut: keys.one('dscp_out', (r) => r.oneOf('value', ['pipe', 'uniform'])),
  });
}

export function decodeVapOptions(value: unknown, at: string): VapOptions {
  const keys = new Keys(value, at);
  return present<VapOptions>({
    aclIn: keys.uint('acl_in', U32),
    aclOut: keys.uint('acl_out', U32),
    police: keys.list('police', (r) => [r.counter('bits_per_s'), r.uint('burst_bytes', U32)]),
    storm: keys.list('storm', (r) => [r.uint('packets_per_s', U32), r.uint('burst', U32)]),
    guardIp: keys.bool('guard_ip'),
  });
}
