// The engine inside this process, through the native addon. It turns commands, answers and rings into bytes and back, keeps batches
// in their order, and decides nothing.

import { randomBytes } from 'node:crypto';
import { foreignError, type NveError, nveError, toNveError } from '#model';
import { type Addon, loadAddon, type NativeEngine } from './addon.js';
import { batchesOf, decodeResult, encodeCommand } from './commands.js';
import type { Engine, Page, Unsubscribe } from './engine.js';
import { pack, unpack, unpackAll } from './msgpack.js';
import { badReply } from './reader.js';
import { decodeCaptured, decodeDump, decodeEvent, decodeInfo, decodePunt, decodeStats } from './replies.js';
import type {
  Captured,
  CapturedFrame,
  CaptureFilter,
  DumpKind,
  DumpRows,
  EngineEvent,
  EngineStats,
  Punt,
} from './rows.js';
import { decodeTrace, type Trace } from './trace.js';
import {
  type ApplyResult,
  type Command,
  type EngineInfo,
  type EngineOptions,
  PAGE_ROWS,
  type PortId,
} from './types.js';

const SCHEMA = 2;

/** Starts the engine in this process. A process can do this once: DPDK's EAL cannot start again. */
export async function openEmbedded(options: EngineOptions, addon: Addon = loadAddon()): Promise<Engine> {
  // A new number for each session, so that no batch of an earlier one can be taken for ours. Below 2^63: MessagePack's int64.
  const epoch = randomBytes(8).readBigUInt64BE() >> 1n;
  const config = {
    hugepages: options.hugepages,
    memory_mb: options.memoryMb,
    mbufs: options.mbufs,
    mbuf_size: options.mbufSize,
    pollers: options.pollers,
    poll: options.poll,
    fdb_capacity: options.fdbCapacity,
    cpus: options.cpus,
    extra_eal: options.extraEal,
  };
  let engine: EmbeddedEngine | undefined;
  const ring = (): void => engine?.drain();
  let native: NativeEngine;
  try {
    native = await addon.open(pack([SCHEMA, SCHEMA, epoch, config]), ring);
  } catch (caught) {
    throw nativeError(caught);
  }
  engine = new EmbeddedEngine(native);
  // What was rung before the handle was here.
  engine.drain();
  return engine;
}

class EmbeddedEngine implements Engine {
  readonly #native: NativeEngine;
  readonly #info: EngineInfo;
  readonly #events = new Set<(event: EngineEvent) => void>();
  readonly #punts = new Set<(punt: Punt) => void>();
  #batchId = 0n;
  /** Of what is recorded now: what is left of before has another one. */
  #session = 0;
  #applying: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  constructor(native: NativeEngine) {
    this.#native = native;
    this.#info = decodeInfo(unpack(native.info()));
  }

  info(): EngineInfo {
    return this.#info;
  }

  apply(commands: readonly Command[]): Promise<ApplyResult> {
    const result = this.#applying.then(() => this.#applyAll(commands));
    this.#applying = result.catch(() => undefined);
    return result;
  }

  async #applyAll(commands: readonly Command[]): Promise<ApplyResult> {
    const applied: Command[] = [];
    for await (const batch of batchesOf(commands)) {
      const batchId = ++this.#batchId;
      const { schema, epoch } = this.#info;
      const bytes = pack([schema, epoch, batchId, batch.map(encodeCommand)]);
      const answer = await this.#call((native) => native.apply(bytes));
      const refused = decodeResult(unpack(answer), { epoch, batchId, commands: batch });
      if (refused.length > 0) return { applied, refused };
      for (const command of batch) applied.push(command);
    }
    return { applied, refused: [] };
  }

  async dump<K extends DumpKind>(kind: K): Promise<DumpRows[K][]> {
    const rows: DumpRows[K][] = [];
    let cursor: unknown = null;
    do {
      const page = await this.page(kind, cursor, PAGE_ROWS);
      for (const row of page.rows) rows.push(row);
      cursor = page.cursor;
    } while (cursor !== null);
    return rows;
  }

  async page<K extends DumpKind>(kind: K, cursor: unknown, limit: number): Promise<Page<DumpRows[K]>> {
    const answer = await this.#call((native) => native.dump(pack([kind, exact(cursor), limit])));
    return decodeDump(kind, unpack(answer));
  }

  async stats(): Promise<EngineStats> {
    return decodeStats(unpack(await this.#call((native) => native.stats())));
  }

  async capture(filter: CaptureFilter | null, snap: number): Promise<void> {
    const answer = unpack(await this.#call((native) => native.capture(pack([filter && encodeFilter(filter), snap]))));
    if (typeof answer !== 'number') throw badReply('capture', answer, 'a number');
    this.#session = answer;
  }

  captured(): Captured {
    const frames: CapturedFrame[] = [];
    let lost = 0;
    if (this.#closing !== undefined) return { frames, lost };
    for (const value of unpackAll(this.#native.captured())) {
      const record = decodeCaptured(value);
      if ('lost' in record) lost += record.lost;
      else if (record.session === this.#session) frames.push(record.frame);
    }
    return { frames, lost };
  }

  async inject(port: PortId, frame: Uint8Array): Promise<void> {
    await this.#call((native) => native.inject(pack([port, frame])));
  }

  async trace(port: PortId, frame: Uint8Array): Promise<Trace> {
    return decodeTrace(unpack(await this.#call((native) => native.trace(pack([port, frame])))));
  }

  onEvent(listener: (event: EngineEvent) => void): Unsubscribe {
    this.#events.add(listener);
    return () => this.#events.delete(listener);
  }

  onPunt(listener: (punt: Punt) => void): Unsubscribe {
    this.#punts.add(listener);
    return () => this.#punts.delete(listener);
  }

  close(): Promise<void> {
    this.#closing ??= this.#native.close().catch((caught: unknown) => {
      throw nativeError(caught);
    });
    return this.#closing;
  }

  shutdownNow(): void {
    this.#closing ??= Promise.resolve();
    this.#native.shutdownNow();
  }

  /** Empties both rings: the doorbell rings only when one turns from empty to non-empty. */
  drain(): void {
    for (const value of this.#taken((native) => native.events())) {
      const event = decodeEvent(value);
      if (event !== undefined) for (const listener of this.#events) listener(event);
    }
    for (const value of this.#taken((native) => native.punts())) {
      const punt = decodePunt(value);
      for (const listener of this.#punts) listener(punt);
    }
  }

  /** What a ring holds: it is handed out in pieces, until one is empty. */
  *#taken(take: (native: NativeEngine) => Buffer): Generator<unknown> {
    while (this.#closing === undefined) {
      const bytes = take(this.#native);
      if (bytes.length === 0) return;
      yield* unpackAll(bytes);
    }
  }

  async #call(call: (native: NativeEngine) => Promise<Buffer>): Promise<Buffer> {
    if (this.#closing !== undefined) throw nveError('NVE-ENG-013', {});
    try {
      return await call(this.#native);
    } catch (caught) {
      throw nativeError(caught);
    }
  }
}

function encodeFilter(filter: CaptureFilter): unknown[] {
  switch (filter.kind) {
    case 'port':
      return [filter.kind, filter.port];
    case 'vap':
      return [filter.kind, filter.vap];
    case 'drops':
      return [filter.kind, filter.port, filter.reason];
  }
}

/** A cursor as the engine gave it: it holds MACs as integers, and above 2^32 a number would be packed as a float. */
function exact(cursor: unknown): unknown {
  if (Array.isArray(cursor)) return cursor.map(exact);
  return typeof cursor === 'number' && Number.isSafeInteger(cursor) ? BigInt(cursor) : cursor;
}

/** The addon's `Error` with `code` and `context` as an `NveError`; anything else as an internal error. */
export function nativeError(caught: unknown): NveError {
  if (!(caught instanceof Error) || !('code' in caught) || typeof caught.code !== 'string') return toNveError(caught);
  if (!caught.code.startsWith('NVE-')) return toNveError(caught);
  return foreignError(caught.code, contextOf(caught), caught.message, caught);
}

function contextOf(error: Error): Record<string, unknown> {
  if (!('context' in error) || typeof error.context !== 'string') return {};
  try {
    const context: unknown = JSON.parse(error.context);
    return typeof context === 'object' && context !== null && !Array.isArray(context) ? { ...context } : {};
  } catch {
    return { context: error.context };
  }
}
