/**
 * The frames of docs/rpc.md: requests, responses and notifications. Payloads only; `frame.ts` puts the length in front.
 * What a method's params mean is the business of those who serve it.
 */
import { type ErrorMap, err, nveError, ok, type Result, toNveError } from '#model';
import { ArrayReader, FieldErrors } from './fields.js';
import { MAX_FRAME } from './frame.js';
import { DEFAULT_LIMITS, decodeMsgpack, encodeMsgpack, scan } from './msgpack.js';

export const RPC_VERSION = 1;

export interface RpcRequest {
  readonly type: 'request';
  /** Chosen by the client, unique among its open requests: u32. */
  readonly id: number;
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
  /** How long the client waits, in milliseconds; null: as long as the server likes. */
  readonly deadlineMs: number | null;
}

export interface RpcResponse {
  readonly type: 'response';
  readonly id: number;
  readonly outcome: Result<unknown, ErrorMap>;
}

export interface RpcNotification {
  readonly type: 'notification';
  readonly topic: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export type RpcMessage = RpcRequest | RpcResponse | RpcNotification;

const U32 = 2 ** 32 - 1;
const NAME_MAX = 64;
const TEXT_MAX = 4096;

/** The payload of a message. Fails if it is above the frame limit, or holds what MessagePack or this protocol cannot carry. */
export function encodeRpc(message: RpcMessage): Result<Uint8Array> {
  let payload: Uint8Array;
  try {
    payload = encodeMsgpack(rpcArray(message));
  } catch (caught) {
    return err(toNveError(caught));
  }
  if (payload.length > MAX_FRAME) return err(nveError('NVE-WIRE-005', { length: payload.length, limit: MAX_FRAME }));
  const problem = scan(payload, DEFAULT_LIMITS);
  return problem === null ? ok(payload) : err(problem);
}

function rpcArray(message: RpcMessage): unknown[] {
  switch (message.type) {
    case 'request':
      return [0, message.id, message.method, message.params, message.deadlineMs];
    case 'response': {
      const { outcome } = message;
      return outcome.ok ? [1, message.id, null, outcome.value] : [1, message.id, outcome.error, null];
    }
    case 'notification':
      return [2, message.topic, message.data];
  }
}

export function decodeRpc(payload: Uint8Array): Result<RpcMessage> {
  const value = decodeMsgpack(payload);
  if (!value.ok) return value;
  const errors = new FieldErrors();
  const reader = new ArrayReader(value.value, 'rpc', errors);
  const message = readMessage(reader, reader.uint('type', 2), errors);
  return errors.first === null ? ok(message) : err(errors.first);
}

function readMessage(reader: ArrayReader, type: number, errors: FieldErrors): RpcMessage {
  if (type === 2) {
    return {
      type: 'notification',
      topic: reader.text('topic', NAME_MAX),
      data: mapOf(reader.any(), 'rpc.data', errors),
    };
  }
  const id = reader.uint('id', U32);
  if (type === 0) {
    const method = reader.text('method', NAME_MAX);
    const params = mapOf(reader.any(), 'rpc.params', errors);
    const deadline = reader.any();
    const given = deadline !== null && deadline !== undefined;
    if (given && !(typeof deadline === 'number' && Number.isInteger(deadline) && deadline >= 0 && deadline <= U32)) {
      errors.fail('rpc.deadline_ms', `an integer from 0 to ${U32}, or nil`, deadline);
    }
    return { type: 'request', id, method, params, deadlineMs: given ? (deadline as number) : null };
  }
  const error = reader.any();
  const result = reader.any();
  return { type: 'response', id, outcome: error === null ? ok(result ?? null) : err(errorMapOf(error, errors)) };
}

function errorMapOf(value: unknown, errors: FieldErrors): ErrorMap {
  const map = mapOf(value, 'rpc.error', errors);
  const text = (name: string): string => {
    const field = map[name];
    if (typeof field === 'string' && field.length <= TEXT_MAX) return field;
    errors.fail(`rpc.error.${name}`, `text of at most ${TEXT_MAX} characters`, field);
    return '';
  };
  return {
    code: text('code'),
    message: text('message'),
    hint: text('hint'),
    context: mapOf(map['context'] ?? {}, 'rpc.error.context', errors),
  };
}

function mapOf(value: unknown, at: string, errors: FieldErrors): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return value as Record<string, unknown>;
  }
  errors.fail(at, 'a map', value);
  return {};
}
