/** For tests: an embedded NVA and NVEs on real sockets. Tests wait for what they expect, never for time. */
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type HostInfo,
  type IpAddr,
  type LinkName,
  type MacAddr,
  type Mtu,
  type NveError,
  type NveId,
  type Result,
  type TsiId,
  unwrap,
  type VnId,
  type VnInfo,
  type Vni,
  type VnName,
} from '#model';
import { decodeNnp, encodeFrame, encodeNnp, FrameDecoder, type NnpFrame } from '#wire';
import { netAddress } from '../address.js';
import {
  type Attachment,
  type AuthorityConfig,
  type AuthorizeRequest,
  type MappingChange,
  type NvaAddress,
  NvaClient,
  type NvaClientOptions,
  NvaServer,
  type NvaServerOptions,
} from '../index.js';

export const mac = (n: number) => `02:00:00:00:00:${n.toString(16).padStart(2, '0')}` as MacAddr;
export const ip = (n: number) => `10.0.0.${n}` as IpAddr;
export const vnId = (n: number) => n as VnId;
export const nveId = (name: string) => name as NveId;

export function vnInfo(name: string, vn: number, vni = 5000 + vn): VnInfo {
  return { vn: vn as VnId, name: name as VnName, vni: vni as Vni, mtu: 1450 as Mtu, gateway: null };
}

export function request(tsi: string, macs = [1], vn = 'blue'): AuthorizeRequest {
  const addresses = { macs: macs.map(mac), ips: macs.map(ip) };
  return { vn: vn as VnName, tsi: tsi as TsiId, port: 'acc0' as LinkName, ...addresses };
}

export function attachment(tsi: string, macs = [1], vn = 7, port = 'acc0'): Attachment {
  const addresses = { macs: macs.map(mac), ips: macs.map(ip) };
  return { vn: vn as VnId, tsi: tsi as TsiId, port: port as LinkName, ...addresses };
}

export const CONFIG: AuthorityConfig = {
  nvaId: 'nva1',
  vns: [vnInfo('blue', 7), vnInfo('red', 8)],
  nves: [
    { nveId: nveId('a'), underlay: ['192.0.2.1' as IpAddr] },
    { nveId: nveId('b'), underlay: ['192.0.2.2' as IpAddr] },
    { nveId: nveId('blue-only'), underlay: [], vns: ['blue' as VnName] },
  ],
  tsis: [
    { vn: 'blue' as VnName, tsi: 't*' },
    { vn: 'red' as VnName, tsi: 't*' },
    { vn: 'red' as VnName, tsi: 'strict', macs: [mac(9)], ips: [ip(9)], nves: [nveId('a')] },
  ],
};

/** An NVE with everything that it was told. */
export class Nve {
  readonly client: NvaClient;
  readonly changes: MappingChange[] = [];
  readonly errors: NveError[] = [];
  readonly refused: { attachment: Attachment; error: NveError }[] = [];
  connects = 0;
  #waiting: (() => void)[] = [];

  constructor(options: NvaClientOptions) {
    this.client = new NvaClient(options, {
      onConnected: () => {
        this.connects += 1;
        this.#wake();
      },
      onDisconnected: (error) => {
        this.errors.push(error);
        this.#wake();
      },
      onMapping: (change) => {
        this.changes.push(change);
        this.client.applied(change.vn, change.revision);
        this.#wake();
      },
      onReportRefused: (attachment, error) => {
        this.refused.push({ attachment, error });
        this.#wake();
      },
    });
  }

  /** Resolves when `what` is true; asked after every event. */
  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** `mac nve#seq` of each host, sorted. */
  hosts(vn = 7): string[] {
    const hosts = this.client.view(vn as VnId)?.hosts ?? new Map<MacAddr, HostInfo>();
    return [...hosts.values()].map((host) => `${host.mac.slice(-2)} ${host.nveId}#${host.mobilitySeq}`).sort();
  }

  /** `nve vni tunnels` of each member, sorted. */
  members(vn = 7): string[] {
    const members = this.client.view(vn as VnId)?.members ?? new Map();
    return [...members.values()]
      .map((member) => `${member.nveId} ${member.contextId} ${member.tunnels.map((end: { ip: IpAddr }) => end.ip)}`)
      .sort();
  }

  /** Waits until exactly these hosts are known. */
  async sees(hosts: string[], vn = 7): Promise<void> {
    await this.until(() => this.hosts(vn).join() === hosts.join());
  }

  attach(tsi: string, macs = [1], vn = 7, port = 'acc0'): Promise<Result<null>> {
    return this.client.report('attach', attachment(tsi, macs, vn, port));
  }

  detach(tsi: string, macs = [1], vn = 7, port = 'acc0'): Promise<Result<null>> {
    return this.client.report('detach', attachment(tsi, macs, vn, port));
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** A peer that sends and reads single frames, or anything else. */
export class RawPeer {
  readonly frames: NnpFrame[] = [];
  closed = false;
  readonly #socket: Socket;
  readonly #decoder = new FrameDecoder();
  #waiting: (() => void)[] = [];

  /** Of an address without TLS, or over a connection that is made. */
  constructor(to: NvaAddress | Socket) {
    this.#socket = to instanceof Socket ? to : connect(netAddress(to));
    this.#socket.on('data', (chunk) => {
      for (const payload of unwrap(this.#decoder.push(chunk))) this.frames.push(unwrap(decodeNnp(payload)));
      this.#wake();
    });
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => {
      this.closed = true;
      this.#wake();
    });
  }

  send(frame: NnpFrame): void {
    this.bytes(unwrap(encodeFrame(encodeNnp(frame))));
  }

  bytes(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  hello(id = 'a', over: Partial<Extract<NnpFrame, { kind: 'hello' }>> = {}): void {
    const base = { channel: 0, protoMin: 1, protoMax: 1, instance: 'i', encaps: [], maxFrame: 1 << 20 };
    this.send({ kind: 'hello', nveId: nveId(id), ...base, ...over });
  }

  /** Sends nothing more. */
  finish(): void {
    this.#socket.end();
  }

  /** Stops reading, as a process that hangs. */
  pause(): void {
    this.#socket.pause();
  }

  async until(what: () => boolean): Promise<void> {
    while (!what()) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** The code of the ERROR after which the server closed. */
  async end(): Promise<string> {
    await this.until(() => this.closed);
    const last = this.frames.at(-1);
    return last?.kind === 'error' ? last.code : `no error but ${last?.kind}`;
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

export class Lab {
  readonly #directory = mkdtempSync(join(tmpdir(), 'nva-lab-'));
  readonly #kind: 'tcp' | 'unix';
  readonly #nves: Nve[] = [];
  readonly #peers: RawPeer[] = [];
  server: NvaServer | null = null;
  /** Where the server listens; stays the same over its restarts. */
  address: NvaAddress;

  constructor(kind: 'tcp' | 'unix' = 'unix') {
    this.#kind = kind;
    this.address =
      kind === 'unix' ? { kind, path: join(this.#directory, 'nva.sock') } : { kind, host: '127.0.0.1', port: 0 };
  }

  async startServer(options: Partial<NvaServerOptions> = {}): Promise<NvaServer> {
    const server = unwrap(NvaServer.create({ listen: [this.address], authority: CONFIG, ...options }));
    const [address] = unwrap(await server.listen());
    if (address !== undefined) this.address = address;
    this.server = server;
    return server;
  }

  async stopServer(): Promise<void> {
    await this.server?.close();
    this.server = null;
  }

  /** A started client of NVE `id`, with a short back-off. */
  nve(id: string, options: Partial<NvaClientOptions> = {}): Nve {
    const known = { a: '192.0.2.1', b: '192.0.2.2' }[id];
    const nve = new Nve({
      nveId: nveId(id),
      endpoints: [{ address: this.address, priority: 0, weight: 1 }],
      tunnels: known === undefined ? [] : [{ encap: 1, ip: known as IpAddr }],
      timing: { backoffMinMs: 5, backoffMaxMs: 20 },
      ...options,
    });
    this.#nves.push(nve);
    nve.client.start();
    return nve;
  }

  peer(): RawPeer {
    const peer = new RawPeer(this.address);
    this.#peers.push(peer);
    return peer;
  }

  async close(): Promise<void> {
    for (const peer of this.#peers) peer.destroy();
    await Promise.all(this.#nves.map((nve) => nve.client.stop()));
    await this.stopServer();
    rmSync(this.#directory, { recursive: true, force: true });
  }

  get kind(): 'tcp' | 'unix' {
    return this.#kind;
  }
}
