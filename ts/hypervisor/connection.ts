// One RPC connection, either side: a socket's bytes become messages, messages become bytes. What breaks the framing ends it.

import type { Socket } from 'node:net';
import { type NveError, nveError } from '#model';
import { decodeRpc, encodeFrame, encodeRpc, FrameDecoder, type RpcMessage } from '#wire';

/** Bytes that may wait for a peer that does not read, before it is cut off. */
const BACKLOG_MAX = 16 << 20;

export class RpcConnection {
  readonly #socket: Socket;
  readonly #decoder: FrameDecoder;

  /** `maxFrame` is the longest frame taken; `onEnd` is called once, its error is undefined if the peer just closed. */
  constructor(
    socket: Socket,
    maxFrame: number,
    onMessage: (message: RpcMessage) => void,
    onEnd: (error: NveError | Error | undefined) => void,
  ) {
    this.#socket = socket;
    this.#decoder = new FrameDecoder(maxFrame);
    let failure: NveError | Error | undefined;
    socket.on('data', (chunk) => {
      const problem = this.#receive(chunk, onMessage);
      if (problem === undefined) return;
      failure = problem;
      socket.destroy();
    });
    socket.on('error', (error) => {
      failure ??= error;
    });
    socket.once('close', () => onEnd(failure));
  }

  #receive(chunk: Uint8Array, onMessage: (message: RpcMessage) => void): NveError | undefined {
    const payloads = this.#decoder.push(chunk);
    if (!payloads.ok) return payloads.error;
    for (const payload of payloads.value) {
      const message = decodeRpc(payload);
      if (!message.ok) return message.error;
      onMessage(message.value);
      if (this.#socket.destroyed) return undefined;
    }
    return undefined;
  }

  /** Sends a message; gives the error if it cannot be a frame (too long, or not MessagePack). On a closed socket it does nothing. */
  send(message: RpcMessage): NveError | undefined {
    if (this.#socket.destroyed || !this.#socket.writable) return undefined;
    const payload = encodeRpc(message);
    if (!payload.ok) return payload.error;
    const frame = encodeFrame(payload.value);
    if (!frame.ok) return frame.error;
    this.#socket.write(frame.value);
    if (this.#socket.writableLength > BACKLOG_MAX) {
      this.#socket.destroy(nveError('NVE-RPC-008', { what: 'bytes that the peer has not read', limit: BACKLOG_MAX }));
    }
    return undefined;
  }

  /** From now on frames may be this long. */
  allow(maxFrame: number): void {
    this.#decoder.maxFrame = maxFrame;
  }

  /** Sends what is still to send, then closes. */
  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}
