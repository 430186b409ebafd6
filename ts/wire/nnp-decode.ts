/**
 * Payloads to NNP frames. The bytes come from a network: shape, sizes and ranges are all checked here, so that nobody above
 * has to check again. Every error names its field.
 */
import {
  err,
  HOMES_MAX,
  type HostInfo,
  type MacAddr,
  type NveId,
  nveError,
  ok,
  parseLinkName,
  parseMtu,
  parseNveId,
  parseTsiId,
  parseVnId,
  parseVni,
  parseVnName,
  parseVnRef,
  type Result,
  type VnId,
  type VnInfo,
  type VnRef,
} from '#model';
import { ArrayReader, FieldErrors as Errors, type FieldErrors, ipOf, macOf } from './fields.js';
import { decodeMsgpack, type MsgpackLimits } from './msgpack.js';
import {
  NNP_KINDS,
  NNP_LIMITS,
  NNP_OBJECT_KINDS,
  type NnpAlternate,
  type NnpAnswer,
  type NnpAttachment,
  type NnpFrame,
  type NnpKey,
  type NnpKind,
  type NnpObject,
  type NnpObjectKind,
  type NnpOp,
  type NnpReject,
  type NnpToken,
} from './nnp.js';
import { FLAG_CRITICAL, MULTIHOMED, NNP_HEADER_BYTES, PLANS, REPORT_MODES } from './nnp-encode.js';
import { settingsOf, tunnelOf } from './nnp-settings.js';

const U8 = 255;
const U32 = 2 ** 32 - 1;

/** The deepest frame: DELTA body, ops, op, VN body, settings, ACL, rules, rule. */
const LIMITS: MsgpackLimits = { maxDepth: 8, maxItems: NNP_LIMITS.ops, floats: false };

const KIND_OF = new Map(Object.entries(NNP_KINDS).map(([kind, number]) => [number as number, kind as NnpKind]));

/** The frame of a payload, or an error that names the field. A kind that is not known is no error: `kind: 'unknown'`. */
export function decodeNnp(payload: Uint8Array): Result<NnpFrame> {
  if (payload.length < NNP_HEADER_BYTES) {
    const got = `${payload.length} bytes`;
    return err(nveError('NVE-WIRE-003', { at: 'header', expected: `${NNP_HEADER_BYTES} bytes`, got }));
  }
  const [number = 0, flags = 0, high = 0, low = 0] = payload;
  const channel = high * 256 + low;
  const kind = KIND_OF.get(number);
  // What follows the header of an unknown kind is nobody's business.
  if (kind === undefined) return ok({ kind: 'unknown', channel, number, critical: (flags & FLAG_CRITICAL) !== 0 });
  const body = decodeMsgpack(payload.subarray(NNP_HEADER_BYTES), LIMITS);
  if (!body.ok) return body;
  const errors = new Errors();
  const frame = { channel, ...bodyOf(kind, new ArrayReader(body.value, kind, errors)) } as NnpFrame;
  return errors.first === null ? ok(frame) : err(errors.first);
}

type Body = NnpFrame extends infer F ? (F extends unknown ? Omit<F, 'channel'> : never) : never;

function bodyOf(kind: NnpKind, r: ArrayReader): Body {
  switch (kind) {
    case 'hello':
      return {
        kind,
        protoMin: r.uint('proto_min', U8),
        protoMax: r.uint('proto_max', U8),
        nveId: r.parsed('nve_id', parseNveId),
        instance: r.text('instance', NNP_LIMITS.id),
        encaps: r.list('encaps', NNP_LIMITS.tunnels, tunnelOf),
        maxFrame: r.uint('max_frame', U32),
      };
    case 'helloAck': {
      const greeting = {
        kind,
        proto: r.uint('proto', U8),
        nvaId: r.text('nva_id', NNP_LIMITS.id),
        epoch: r.text('epoch', NNP_LIMITS.id),
        term: r.u64('term'),
        revision: r.u64('revision'),
        holdMs: r.uint('hold_ms', U32),
      };
      const alternates = r.optional('alternates', alternatesOf);
      return alternates === null ? greeting : { ...greeting, alternates };
    }
    case 'auth':
      return {
        kind,
        qid: r.uint('qid', U32),
        vn: vnRefOf(r),
        tsi: r.parsed('tsi', parseTsiId),
        macs: r.list('macs', NNP_LIMITS.addresses, macOf),
        ips: r.list('ips', NNP_LIMITS.addresses, ipOf),
        port: r.parsed('port', parseLinkName),
      };
    case 'authAck':
      return authAckOf(r);
    case 'sub':
      return { kind, vn: r.parsed('vn', parseVnId, 'number'), token: r.optional('token', tokenOf) };
    case 'subAck':
      return {
        kind,
        vn: r.parsed('vn', parseVnId, 'number'),
        plan: PLANS[r.uint('plan', PLANS.length - 1)] ?? 'denied',
        fromRevision: r.u64('from_revision'),
        code: r.textOrNil('code', NNP_LIMITS.id),
      };
    case 'snapBegin':
    case 'bookmark':
      return { kind, revision: r.u64('revision') };
    case 'snap':
      return { kind, ops: r.list('ops', NNP_LIMITS.ops, opOf) };
    case 'sync':
      return { kind, revision: r.u64('revision'), count: r.uint('count', U32) };
    case 'delta':
      return {
        kind,
        prevRevision: r.u64('prev_revision'),
        revision: r.u64('revision'),
        ops: r.list('ops', NNP_LIMITS.ops, opOf),
      };
    case 'ack':
      return { kind, receivedRevision: r.u64('received_revision'), appliedRevision: r.u64('applied_revision') };
    case 'nack':
      return { kind, revision: r.u64('revision'), items: r.list('items', NNP_LIMITS.rejects, nackItemOf) };
    case 'ends':
      return { kind, tunnels: r.list('tunnels', NNP_LIMITS.tunnels, tunnelOf) };
    case 'query':
      return {
        kind,
        vn: r.parsed('vn', parseVnId, 'number'),
        qid: r.uint('qid', U32),
        macs: r.list('macs', NNP_LIMITS.keys, macOf),
      };
    case 'answer': {
      const vn = r.parsed('vn', parseVnId, 'number');
      const [qid, ttlS, negativeTtlS] = [r.uint('qid', U32), r.uint('ttl_s', U32), r.uint('negative_ttl_s', U32)];
      const answerOf = (value: unknown, at: string, errors: FieldErrors): NnpAnswer => {
        const item = new ArrayReader(value, at, errors);
        const mac = item.mac('mac');
        return {
          mac,
          host: item.optional('host', (body, where) => hostOf(vn, mac, new ArrayReader(body, where, errors))),
        };
      };
      return { kind, vn, qid, ttlS, negativeTtlS, answers: r.list('answers', NNP_LIMITS.keys, answerOf) };
    }
    case 'report':
      return {
        kind,
        seq: r.u64('seq'),
        mode: REPORT_MODES[r.uint('mode', REPORT_MODES.length - 1)] ?? 'delta',
        items: r.list('items', NNP_LIMITS.reports, attachmentOf),
      };
    case 'reportAck':
      return { kind, seq: r.u64('seq'), rejects: r.list('rejects', NNP_LIMITS.rejects, rejectOf) };
    case 'ping':
    case 'pong':
      return { kind, nonce: r.uint('nonce', U32) };
    case 'goaway':
      return {
        kind,
        code: r.text('code', NNP_LIMITS.id),
        text: r.textOrNil('text', NNP_LIMITS.text) ?? '',
        graceMs: r.uint('grace_ms', U32),
      };
    case 'error':
      return { kind, code: r.text('code', NNP_LIMITS.id), text: r.textOrNil('text', NNP_LIMITS.text) ?? '' };
    case 'unsub':
      return { kind, vn: r.parsed('vn', parseVnId, 'number') };
  }
}

/** Text is a name, a number a VNI. */
function vnRefOf(r: ArrayReader): VnRef {
  const value = r.any();
  const ref = parseVnRef(value);
  if (ref.ok) return ref.value;
  r.fail('vn', 'the name of a VN, or a VNI', value);
  return undefined as unknown as VnRef;
}

function authAckOf(r: ArrayReader): Body {
  const qid = r.uint('qid', U32);
  const allow = r.uint('verdict', 1) === 1;
  const code = r.textOrNil('code', NNP_LIMITS.id);
  const text = r.textOrNil('text', NNP_LIMITS.text);
  const vn = r.optional('vn', vnOf);
  const ttlS = r.uint('ttl_s', U32);
  if (allow && vn === null) r.fail('vn', 'a VN object, as the verdict is allow', null);
  if (!allow && code === null) r.fail('code', 'an error code, as the verdict is deny', null);
  return { kind: 'authAck', qid, allow, code, text, vn: allow ? vn : null, ttlS };
}

function vnOf(value: unknown, at: string, errors: FieldErrors): VnInfo {
  const r = new ArrayReader(value, at, errors);
  return vnBody(r.parsed('vn', parseVnId, 'number'), r);
}

function vnBody(vn: VnInfo['vn'], r: ArrayReader): VnInfo {
  const info = {
    vn,
    name: r.parsed('name', parseVnName),
    vni: r.parsed('vni', parseVni, 'number'),
    mtu: r.parsed('mtu', parseMtu, 'number'),
    gateway: r.ipOrNil('gateway'),
  };
  const settings = r.optional('settings', settingsOf);
  return settings === null ? info : { ...info, settings };
}

function alternatesOf(value: unknown, at: string, errors: FieldErrors): NnpAlternate[] {
  return new ArrayReader([value], at, errors).list(at, NNP_LIMITS.alternates, (item, place) => {
    const r = new ArrayReader(item, place, errors);
    return {
      name: r.text('endpoint', NNP_LIMITS.endpoint),
      priority: r.uint('priority', U8),
      weight: r.uint('weight', U8, 1),
    };
  });
}

function tokenOf(value: unknown, at: string, errors: FieldErrors): NnpToken {
  const r = new ArrayReader(value, at, errors);
  return { epoch: r.text('epoch', NNP_LIMITS.id), revision: r.u64('revision') };
}

function rejectOf(value: unknown, at: string, errors: FieldErrors): NnpReject {
  const r = new ArrayReader(value, at, errors);
  return {
    index: r.uint('index', NNP_LIMITS.reports - 1),
    code: r.text('code', NNP_LIMITS.id),
    text: r.textOrNil('text', NNP_LIMITS.text) ?? '',
  };
}

function nackItemOf(value: unknown, at: string, errors: FieldErrors) {
  const r = new ArrayReader(value, at, errors);
  const key = keyOf(kindOf(r), r.any(), `${at}.key`, errors);
  return { key, code: r.text('code', NNP_LIMITS.id), text: r.textOrNil('text', NNP_LIMITS.text) ?? '' };
}

function attachmentOf(value: unknown, at: string, errors: FieldErrors): NnpAttachment {
  const r = new ArrayReader(value, at, errors);
  const item: NnpAttachment = {
    change: r.uint('op', 1) === 1 ? 'attach' : 'detach',
    vn: r.parsed('vn', parseVnId, 'number'),
    tsi: r.parsed('tsi', parseTsiId),
    macs: r.list('macs', NNP_LIMITS.addresses, macOf),
    ips: r.list('ips', NNP_LIMITS.addresses, ipOf),
    port: r.parsed('port', parseLinkName),
  };
  const flags = r.optional('flags', (flag) => new ArrayReader([flag], at, errors).uint('flags', U8)) ?? 0;
  return (flags & MULTIHOMED) === 0 ? item : { ...item, multihomed: true };
}

function othersOf(value: unknown, at: string, errors: FieldErrors): NveId[] {
  const body = at.slice(0, at.lastIndexOf('.'));
  return new ArrayReader([value], body, errors).list('others', HOMES_MAX - 1, (item, place) =>
    new ArrayReader([item], place, errors).parsed('nve_id', parseNveId),
  );
}

function kindOf(r: ArrayReader): NnpObjectKind {
  return NNP_OBJECT_KINDS[r.uint('kind', NNP_OBJECT_KINDS.length, 1) - 1] ?? 'vn';
}

function keyOf(kind: NnpObjectKind, value: unknown, at: string, errors: FieldErrors): NnpKey {
  const r = new ArrayReader(value, at, errors);
  switch (kind) {
    case 'vn':
      return { kind, vn: r.parsed('vn', parseVnId, 'number') };
    case 'nve':
      return { kind, nveId: r.parsed('nve_id', parseNveId) };
    case 'member':
      return { kind, vn: r.parsed('vn', parseVnId, 'number'), nveId: r.parsed('nve_id', parseNveId) };
    case 'host':
      return { kind, vn: r.parsed('vn', parseVnId, 'number'), mac: r.mac('mac') };
  }
}

function opOf(value: unknown, at: string, errors: FieldErrors): NnpOp {
  const r = new ArrayReader(value, at, errors);
  const set = r.uint('op', 1) === 1;
  const kind = kindOf(r);
  const key = keyOf(kind, r.any(), `${at}.key`, errors);
  const revision = r.u64('revision');
  if (!set) return { op: 'delete', revision, key };
  return { op: 'set', revision, object: objectOf(key, new ArrayReader(r.any(), `${at}.body`, errors)) };
}

function objectOf(key: NnpKey, r: ArrayReader): NnpObject {
  switch (key.kind) {
    case 'vn':
      return { kind: 'vn', ...vnBody(key.vn, r) };
    case 'nve':
      return { ...key, tunnels: r.list('tunnels', NNP_LIMITS.tunnels, tunnelOf) };
    case 'member':
      return { ...key, contextId: r.parsed('context_id', parseVni, 'number') };
    case 'host':
      return { kind: 'host', ...hostOf(key.vn, key.mac, r) };
  }
}

function hostOf(vn: VnId, mac: MacAddr, r: ArrayReader): HostInfo {
  const host = {
    vn,
    mac,
    tsi: r.parsed('tsi', parseTsiId),
    nveId: r.parsed('nve_id', parseNveId),
    ips: r.list('ips', NNP_LIMITS.addresses, ipOf),
    mobilitySeq: r.uint('mobility_seq', U32),
  };
  const others = r.optional('others', othersOf);
  return others === null ? host : { ...host, others };
}
