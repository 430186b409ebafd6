/**
 * Stream framing, shared by NNP and RPC: `u32` big-endian length of what follows, then that many bytes. It knows nothing of
 * what is inside. A stream that broke the rule once cannot be trusted again: the decoder stays in its error.
 */
import { err, type NveError, nveError, ok, type Result } from '#model';

/** The most that NNP and RPC allow after the length: 1 MiB. */
export const MAX_FRAME = 1 << 20;

const LENGTH_BYTES = 4;
const FIRST_CAPACITY = 4096;

/** The frame of a payload, or NVE-WIRE-005 when the payload is above the limit. */
export function encodeFrame(payload: Uint8Array, maxFrame: number = MAX_FRAME): Result<Uint8Array> {
  if (payload.length > maxFrame) return err(nveError('NVE-WIRE-005', { length: payload.length, limit: maxFrame }));
  const frame = new Uint8Array(LENGTH_BYTES + payload.length);
  new DataView(frame.buffer).setUint32(0, payload.length);
  frame.set(payload, LENGTH_BYTES);
  return ok(frame);
}

/**
 * Cuts a byte stream into payloads. Memory follows what really arrived (it doubles up to the frame's length), never what a
 * length merely announces.
 */
export class FrameDecoder {
  /** The longest payload taken; may be changed between two chunks. */
  maxFrame: number;
  #header = new Uint8Array(LENGTH_BYTES);
  /** Bytes of the length so far; LENGTH_BYTES while a payload is being collected. */
  #headerFill = 0;
  #length = 0;
  #body = new Uint8Array(0);
  #bodyFill = 0;
  #error: NveError | null = null;

  constructor(maxFrame: number = MAX_FRAME) {
    this.maxFrame = maxFrame;
  }

  /** Whether the stream may end here without cutting a frame. */
  get idle(): boolean {
    return this.#headerFill === 0;
  }

  /** The payloads that this chunk completes. They own their memory. */
  push(chunk: Uint8Array): Result<Uint8Array[]> {
    const frames: Uint8Array[] = [];
    let at = 0;
    while (this.#error === null) {
      if (this.#headerFill < LENGTH_BYTES) {
        if (at >= chunk.length) break;
        this.#header[this.#headerFill++] = chunk[at++] as number;
        if (this.#headerFill < LENGTH_BYTES) continue;
        this.#length = new DataView(this.#header.buffer).getUint32(0);
        if (this.#length > this.maxFrame) {
          this.#error = nveError('NVE-WIRE-001', { length: this.#length, limit: this.maxFrame });
          this.#body = new Uint8Array(0);
          break;
        }
        this.#body = new Uint8Array(Math.min(this.#length, Math.max(FIRST_CAPACITY, chunk.length - at)));
        this.#bodyFill = 0;
      }
      const part = Math.min(this.#length - this.#bodyFill, chunk.length - at);
      this.#reserve(this.#bodyFill + part);
      this.#body.set(chunk.subarray(at, at + part), this.#bodyFill);
      this.#bodyFill += part;
      at += part;
      if (this.#bodyFill < this.#length) break;
      frames.push(this.#body);
      this.#body = new Uint8Array(0);
      this.#headerFill = 0;
    }
    // Frames before a broken one are lost with the stream: who breaks the framing is not heard any more.
    return this.#error === null ? ok(frames) : err(this.#error);
  }

  #reserve(size: number): void {
    if (size <= this.#body.length) return;
    const grown = new Uint8Array(Math.min(this.#length, Math.max(size, this.#body.length * 2)));
    grown.set(this.#body.subarray(0, this.#bodyFill));
    this.#body = grown;
  }
}
