// Stations of the product itself (`StationPort`), each alone on a raw socket and a MAC of its own, as many as a test wants: they can do
// what lldpad cannot, and many of them fit into one process.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type LinkName, type MacAddr, NO_HINTS, type NveError } from '#model';
import {
  type EvbParameters,
  type StationAssociation,
  StationPort,
  type StationPortOptions,
  type StationVsi,
  type VsiId,
} from '#protocol';
import { said } from './command.js';
import type { RelayEnd } from './tag-relay.js';

const PROGRAM = fileURLToPath(new URL('wire.py', import.meta.url));
const HEAD = 4;

/** Their sockets. */
export class Wire {
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #hear: ((frame: Buffer) => void)[] = [];
  #rest: Buffer = Buffer.alloc(0);

  static async open(ends: readonly RelayEnd[]): Promise<Wire> {
    const places = ends.flatMap(({ namespace, iface }) => [namespace.path, iface]);
    const child = spawn('python3', ['-B', PROGRAM, ...places], { stdio: 'pipe' });
    await said(child, child.stderr, 'ready');
    return new Wire(child);
  }

  private constructor(child: ChildProcessWithoutNullStreams) {
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stdout.on('data', (data: Buffer) => this.#heard(data));
  }

  send(end: number, frame: Uint8Array): void {
    const head = Buffer.alloc(HEAD);
    head.writeUInt16BE(end, 0);
    head.writeUInt16BE(frame.length, 2);
    this.#child.stdin.write(Buffer.concat([head, frame]));
  }

  listen(end: number, hear: (frame: Buffer) => void): void {
    this.#hear[end] = hear;
  }

  #heard(data: Buffer): void {
    let rest = Buffer.concat([this.#rest, data]);
    while (rest.length >= HEAD && rest.length >= HEAD + rest.readUInt16BE(2)) {
      const frame = rest.subarray(HEAD, HEAD + rest.readUInt16BE(2));
      this.#hear[rest.readUInt16BE(0)]?.(frame);
      rest = rest.subarray(HEAD + frame.length);
    }
    this.#rest = rest;
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    await closed;
  }
}

interface Waiting {
  readonly resolve: (result: StationAssociation | null) => void;
  readonly reject: (error: NveError) => void;
}

export class Station {
  readonly name: string;
  /** Associations that ended without a command, by VSIID. */
  readonly ended = new Map<string, NveError>();
  readonly port: StationPort;
  readonly #waiting = new Map<number, Waiting>();
  #request = 0;
  #timer: NodeJS.Timeout | undefined;
  #bridge: () => void = () => {};

  /** On the wire's end with this number. */
  constructor(wire: Wire, end: number, mac: string, evb: EvbParameters, address?: StationPortOptions['address']) {
    this.name = `station${end}`;
    const options = { name: 'uplink' as LinkName, mac: mac as MacAddr, node: this.name, evb, firstSequence: 1 };
    this.port = new StationPort(
      { ...options, ...(address === undefined ? {} : { address }) },
      {
        transmit: (frame) => wire.send(end, frame),
        answer: (request, result) => {
          const waiting = this.#waiting.get(request);
          this.#waiting.delete(request);
          if (result.ok) waiting?.resolve(result.value);
          else waiting?.reject(result.error);
        },
        ended: ({ vsiid }, error) => this.ended.set(vsiid, error),
        bridge: () => this.#bridge(),
        log: () => {},
        dropped: () => {},
      },
    );
    wire.listen(end, (frame) => this.#work((port, now) => port.received(frame, now)));
  }

  /** Until a bridge is heard that takes GroupIDs. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#bridge = () => {
        if (this.port.bridge?.groupId === true) resolve();
      };
      this.#work((port, now) => port.up(now));
    });
  }

  /** Associates; what is asked for in one turn shares PDUs. */
  associate(vsi: StationVsi, hints = NO_HINTS): Promise<StationAssociation | null> {
    return this.#ask((request, now) => this.port.associate(request, 'associate', vsi, hints, now));
  }

  deAssociate(vsi: VsiId): Promise<StationAssociation | null> {
    return this.#ask((request, now) => this.port.deAssociate(request, vsi, now));
  }

  close(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    return Promise.resolve();
  }

  #ask(ask: (request: number, now: number) => void): Promise<StationAssociation | null> {
    const request = ++this.#request;
    return new Promise((resolve, reject) => {
      this.#waiting.set(request, { resolve, reject });
      this.#work((_port, now) => ask(request, now));
    });
  }

  #work(work: (port: StationPort, now: number) => void): void {
    work(this.port, performance.now());
    clearTimeout(this.#timer);
    const at = this.port.nextDeadline();
    if (at === null) return;
    // What has been heard by then comes first: a busy test is no reason to give a frame up.
    const tick = (): void =>
      void setImmediate(() => this.#timer !== undefined && this.#work((port, now) => port.tick(now)));
    this.#timer = setTimeout(tick, Math.max(0, Math.ceil(at - performance.now())));
  }
}

/** A VSI with one filter entry: a MAC in a VN, under whatever tag the NVE chooses. */
export function vsi(uuid: string, mac: string, vni: number): StationVsi {
  return {
    vsiidFormat: 5,
    vsiid: uuid.replaceAll('-', ''),
    managerId: '00'.repeat(16),
    typeId: 1,
    typeVersion: 1,
    filterFormat: 4,
    entries: [{ vid: 0, ps: false, pcp: 0, groupId: vni, mac: mac as MacAddr, ip: null }],
    qualifiers: [],
  };
}
