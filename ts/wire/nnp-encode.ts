/** NNP frames to payloads: `u8` kind, `u8` flags, `u16` channel, one MessagePack array. */
import { type HostInfo, type IpAddr, ipToBytes, type MacAddr, macToBytes, type VnInfo } from '#model';
import { encodeMsgpack } from './msgpack.js';
import {
  NNP_KINDS,
  NNP_OBJECT_KINDS,
  type NnpAnswer,
  type NnpAttachment,
  type NnpFrame,
  type NnpKey,
  type NnpObject,
  type NnpOp,
  objectKey,
} from './nnp.js';
import { settingsFields, tunnelFields } from './nnp-settings.js';

/** A receiver that does not know the kind closes the session. No kind of version 1 needs it. */
export const FLAG_CRITICAL = 1;
export const NNP_HEADER_BYTES = 4;

/** The payload of a frame. The frame is ours, so its values are in range by type; its size is checked by `encodeFrame`. */
export function encodeNnp(frame: NnpFrame): Uint8Array {
  const body = encodeMsgpack(frame.kind === 'unknown' ? [] : bodyOf(frame));
  const payload = new Uint8Array(NNP_HEADER_BYTES + body.length);
  payload[0] = frame.kind === 'unknown' ? frame.number : NNP_KINDS[frame.kind];
  payload[1] = frame.kind === 'unknown' && frame.critical ? FLAG_CRITICAL : 0;
  payload[2] = frame.channel >> 8;
  payload[3] = frame.channel & 0xff;
  payload.set(body, NNP_HEADER_BYTES);
  return payload;
}

function bodyOf(frame: Exclude<NnpFrame, { kind: 'unknown' }>): unknown[] {
  switch (frame.kind) {
    case 'hello':
      return [
        frame.protoMin,
        frame.protoMax,
        frame.nveId,
        frame.instance,
        frame.encaps.map(tunnelFields),
        frame.maxFrame,
      ];
    case 'helloAck':
      return [
        frame.proto,
        frame.nvaId,
        frame.epoch,
        frame.term,
        frame.revision,
        frame.holdMs,
        ...(frame.alternates === undefined
          ? []
          : [frame.alternates.map(({ name, priority, weight }) => [name, priority, weight])]),
      ];
    case 'auth':
      return [frame.qid, frame.vn, frame.tsi, frame.macs.map(macToBytes), frame.ips.map(ipToBytes), frame.port];
    case 'authAck':
      return [frame.qid, frame.allow ? 1 : 0, frame.code, frame.text, frame.vn && vnFields(frame.vn), frame.ttlS];
    case 'sub':
      return [frame.vn, frame.token && [frame.token.epoch, frame.token.revision]];
    case 'subAck':
      return [frame.vn, PLANS.indexOf(frame.plan), frame.fromRevision, frame.code];
    case 'snapBegin':
    case 'bookmark':
      return [frame.revision];
    case 'snap':
      return [frame.ops.map(opFields)];
    case 'sync':
      return [frame.revision, frame.count];
    case 'delta':
      return [frame.prevRevision, frame.revision, frame.ops.map(opFields)];
    case 'ack':
      return [frame.receivedRevision, frame.appliedRevision];
    case 'nack':
      return [frame.revision, frame.items.map(({ key, code, text }) => [kindNumber(key), keyFields(key), code, text])];
    case 'ends':
      return [frame.tunnels.map(tunnelFields)];
    case 'query':
      return [frame.vn, frame.qid, frame.macs.map(macToBytes)];
    case 'answer':
      return [frame.vn, frame.qid, frame.ttlS, frame.negativeTtlS, frame.answers.map(answerFields)];
    case 'report':
      return [frame.seq, REPORT_MODES.indexOf(frame.mode), frame.items.map(attachmentFields)];
    case 'reportAck':
      return [frame.seq, frame.rejects.map(({ index, code, text }) => [index, code, text])];
    case 'ping':
    case 'pong':
      return [frame.nonce];
    case 'goaway':
      return [frame.code, frame.text, frame.graceMs];
    case 'error':
      return [frame.code, frame.text];
    case 'unsub':
      return [frame.vn];
  }
}

/** By their number on the wire. */
export const PLANS = ['denied', 'delta', 'snapshot'] as const;
/** Of the flags of an attachment; others are of later versions, and ignored. */
export const MULTIHOMED = 1;
export const REPORT_MODES = ['delta', 'full', 'part'] as const;

function ipOrNil(ip: IpAddr | null): Uint8Array | null {
  return ip === null ? null : ipToBytes(ip);
}

/** A VN object outside an op: its key, then its body. */
function vnFields(vn: VnInfo): unknown[] {
  return [vn.vn, ...vnBody(vn)];
}

function vnBody({ name, vni, mtu, gateway, settings }: VnInfo): unknown[] {
  return [name, vni, mtu, ipOrNil(gateway), ...(settings === undefined ? [] : [settingsFields(settings)])];
}

function attachmentFields(item: NnpAttachment): unknown[] {
  const macs = item.macs.map((mac: MacAddr) => macToBytes(mac));
  return [
    item.change === 'attach' ? 1 : 0,
    item.vn,
    item.tsi,
    macs,
    item.ips.map(ipToBytes),
    item.port,
    ...(item.multihomed ? [MULTIHOMED] : []),
  ];
}

function answerFields({ mac, host }: NnpAnswer): unknown[] {
  return [macToBytes(mac), host && hostBody(host)];
}

function hostBody({ tsi, nveId, ips, mobilitySeq, others }: HostInfo): unknown[] {
  return [tsi, nveId, ips.map(ipToBytes), mobilitySeq, ...(others ? [others] : [])];
}

function opFields(op: NnpOp): unknown[] {
  if (op.op === 'delete') return [0, kindNumber(op.key), keyFields(op.key), op.revision, null];
  return [1, kindNumber(op.object), keyFields(objectKey(op.object)), op.revision, objectFields(op.object)];
}

function kindNumber(of: { readonly kind: NnpObject['kind'] }): number {
  return NNP_OBJECT_KINDS.indexOf(of.kind) + 1;
}

function keyFields(key: NnpKey): unknown[] {
  switch (key.kind) {
    case 'vn':
      return [key.vn];
    case 'nve':
      return [key.nveId];
    case 'member':
      return [key.vn, key.nveId];
    case 'host':
      return [key.vn, macToBytes(key.mac)];
  }
}

function objectFields(object: NnpObject): unknown[] {
  switch (object.kind) {
    case 'vn':
      return vnBody(object);
    case 'nve':
      return [object.tunnels.map(tunnelFields)];
    case 'member':
      return [object.contextId];
    case 'host':
      return hostBody(object);
  }
}
