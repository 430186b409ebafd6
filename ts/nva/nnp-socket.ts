/**
 * NNP frames over a stream socket: cuts and decodes what comes in, writes what goes out, and keeps both bounded. It decides
 * nothing; the first bytes that are not NNP go to `garbled`, and nothing after them is looked at.
 */
import type { Socket } from 'node:net';
import type { NveError } from '#model';
import { decodeNnp, encodeFrame, encodeNnp, FrameDecoder, type NnpFrame } from '#wire';

export interface NnpSocketHandlers {
  frame(frame: NnpFrame): void;
  garbled(error: NveError): void;
  /** The transport is gone, and not by our `end`. Once. */
  closed(cause: Error): void;
}

/** Unsent bytes above which it is full: who does not read is not heard either. */
const HIGH_WATER = 256 << 10;
/** Unsent bytes above which the connection is cut. */
const HARD_LIMIT = 16 << 20;
/** How long the other side may take to read our last words. */
const LINGER_MS = 1000;

export class NnpSocket {
  readonly #socket: Socket;
  readonly #handlers: NnpSocketHandlers;
  readonly #decoder = new FrameDecoder();
  #done = false;
  #cause = new Error('the other side closed the connection');
  #linger: NodeJS.Timeout | null = null;

  constructor(socket: Socket, handlers: NnpSocketHandlers) {
    this.#socket = socket;
    this.#handlers = handlers;
    socket.setNoDelay(true);
    socket.on('data', (chunk) => this.#received(chunk));
    socket.on('drain', () => socket.resume());
    socket.on('error', (error) => {
      this.#cause = error;
    });
    socket.on('close', () => {
      if (this.#linger !== null) clearTimeout(this.#linger);
      if (this.#done) return;
      this.#done = true;
      handlers.closed(this.#cause);
    });
  }

  send(frame: NnpFrame): void {
    if (this.#done || this.#socket.destroyed) return;
    const bytes = encodeFrame(encodeNnp(frame));
    if (!bytes.ok) {
      // Our own machines keep their frames below the limit; if one does not, this session ends, and no other.
      this.#socket.destroy(bytes.error);
      return;
    }
    this.#socket.write(bytes.value);
    if (this.#socket.writableLength > HARD_LIMIT) this.#socket.destroy(new Error('it does not read'));
    else if (this.#socket.writableLength > HIGH_WATER) this.#socket.pause();
  }

  /** Much of what was written has not left this process: the peer does not read, or not fast enough. */
  get full(): boolean {
    return this.#socket.writableLength > HIGH_WATER;
  }

  /** Calls back as soon as what was written has left this process, not at once. */
  whenWritten(run: () => void): void {
    if (this.#done || this.#socket.destroyed) return;
    if (this.#socket.writableNeedDrain) this.#socket.once('drain', run);
    else setImmediate(run);
  }

  /** Sends what is queued, then closes. No handler is called any more. */
  end(): void {
    if (this.#done) return;
    this.#done = true;
    // Read on and forget: closing over unread bytes would reset the connection and lose our last words.
    this.#socket.resume();
    this.#socket.end();
    this.#linger = setTimeout(() => this.#socket.destroy(), LINGER_MS);
  }

  #received(chunk: Uint8Array): void {
    if (this.#done) return;
    const payloads = this.#decoder.push(chunk);
    if (!payloads.ok) {
      this.#handlers.garbled(payloads.error);
      return;
    }
    for (const payload of payloads.value) {
      // A handler may have ended it.
      if (this.#done) return;
      const frame = decodeNnp(payload);
      if (!frame.ok) {
        this.#handlers.garbled(frame.error);
        return;
      }
      this.#handlers.frame(frame.value);
    }
  }
}
