/**
 * What goes to one NVE, held back until what it depends on is written: a frame leaves when the journal has all that was noted
 * before it. So no NVE knows a revision, or has an acknowledgement, that a crash could take back.
 */
import type { NnpFrame } from '#wire';
import type { NnpSocket } from '../nnp-socket.js';
import type { Journal } from './journal.js';

/** Null ends the connection. */
interface Held {
  readonly batch: number;
  readonly frame: NnpFrame | null;
}

/** Frames that wait, above which nothing more is pushed. */
const HELD_MAX = 64;

export class Outbox {
  readonly #socket: NnpSocket;
  readonly #journal: Journal;
  #held: Held[] = [];
  #room: (() => void) | null = null;

  constructor(socket: NnpSocket, journal: Journal) {
    this.#socket = socket;
    this.#journal = journal;
  }

  send(frame: NnpFrame): void {
    this.#put(frame);
  }

  /** Sends what is held, then closes; true: not all of it is sent yet. */
  end(): boolean {
    this.#put(null);
    return this.#held.length > 0;
  }

  /** Closes; what is held is not sent. */
  drop(): void {
    this.#held = [];
    this.#room = null;
    this.#socket.end();
  }

  get full(): boolean {
    return this.#held.length > HELD_MAX || this.#socket.full;
  }

  /** Calls back as soon as there is room again, not at once. */
  whenWritten(run: () => void): void {
    if (this.#held.length > HELD_MAX) this.#room = run;
    else this.#socket.whenWritten(run);
  }

  /** The journal has written more. True: something is held still. */
  release(): boolean {
    const { durable } = this.#journal;
    const first = this.#held.findIndex(({ batch }) => batch > durable);
    const free = this.#held.splice(0, first < 0 ? this.#held.length : first);
    for (const { frame } of free) this.#write(frame);
    const run = this.#room;
    if (run !== null && this.#held.length <= HELD_MAX) {
      this.#room = null;
      this.#socket.whenWritten(run);
    }
    return this.#held.length > 0;
  }

  #put(frame: NnpFrame | null): void {
    const { needed, durable } = this.#journal;
    if (this.#held.length === 0 && durable >= needed) this.#write(frame);
    else this.#held.push({ batch: needed, frame });
  }

  #write(frame: NnpFrame | null): void {
    if (frame === null) this.#socket.end();
    else this.#socket.send(frame);
  }
}
