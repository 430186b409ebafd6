// Negotiates by VDP on the uplink (RFC 8394 section 2): associate is Pre-Associate with resource reservation, activate is Associate,
// de-associate is De-Associate; between them the station's machines keep alive what is held. A VN is named by its VNI, and MTU and gateway,
// which VDP does not tell, come from the configuration.

import { createHash } from 'node:crypto';
import type { PortId } from '#dataplane';
import {
  type IpAddr,
  type LinkName,
  type Mtu,
  NO_HINTS,
  type NveError,
  nveError,
  parseVni,
  type Tag,
  type TnveConfig,
  type TsiId,
  toNveError,
  unwrap,
  type Vid,
  type Vni,
  type VnName,
  vidOfTag,
} from '#model';
import {
  type StationAssociation,
  type StationBridge,
  type StationVsi,
  stationVsiOf,
  type VsiId,
  vsiIdOf,
  vsiKey,
  vsiText,
} from '#protocol';
import type { Grant, Negotiator, NegotiatorHandlers, Wish, Within } from './negotiator.js';
import type { VdpLink } from './vdp-link.js';

interface Known {
  readonly tsi: TsiId;
  readonly vsi: StationVsi;
  readonly tag: Tag;
  readonly mtu: Mtu;
  readonly gateway: IpAddr | null;
  state: Grant['state'];
}

/** As `vn` of an attachment: a VN without a name here. */
const BY_NUMBER = /^vni:([0-9]{1,8})$/;
/** Invalid VID, GroupID or MAC (IEEE 802.1Q clause 41). */
const INVALID_VALUE = 5;

export class VdpNegotiator implements Negotiator {
  readonly link: LinkName;
  readonly #channel: VdpLink;
  readonly #vns: TnveConfig['vn'];
  readonly #mtu: Mtu;
  readonly #scheme: TnveConfig['uplink']['scheme'];
  /** What the bridge holds for us. */
  readonly #known = new Map<TsiId, Known>();
  /** By VSI: whose it is, from the first request on. */
  readonly #owners = new Map<string, TsiId>();

  constructor(config: TnveConfig, channel: VdpLink) {
    const { uplink, port, vn } = config;
    this.link = uplink.port;
    this.#scheme = uplink.scheme;
    this.#channel = channel;
    this.#vns = vn;
    this.#mtu = (port.find(({ name }) => name === uplink.port)?.mtu ?? 1500) as Mtu;
  }

  vnName(vn: VnName): VnName {
    const vni = this.#vniOf(vn);
    return this.#vns.find((known) => known.vni === vni)?.name ?? vn;
  }

  async start(handlers: NegotiatorHandlers): Promise<void> {
    await this.#channel.start({
      bridge: (bridge) => {
        if (bridge === null) {
          handlers.away(nveError('NVE-VDP-020', { uplink: this.link }).message);
          return;
        }
        this.#channelChanged(handlers, bridge.svid);
        handlers.available(bridge.mac);
      },
      ended: (vsi, error, retry) => this.#ended(handlers, vsi, error, retry),
    });
  }

  async associate(wish: Wish, within: Within): Promise<Grant> {
    const until = Date.now() + within.deadlineMs;
    const { tsi, vn, macs, ips } = wish;
    const vni = this.#vniOf(vn);
    const id = idOf(tsi);
    const holder = this.#owners.get(vsiKey(id)) ?? tsi;
    if (holder !== tsi) throw nveError('NVE-VDP-023', { tsi, vsi: vsiText(id), holder });
    const vsiOf = (vid: Vid | null) => unwrap(stationVsiOf({ tsi, vni, macs, ips, vid }, id));
    const wished = wish.tag === null ? null : vidOfTag(wish.tag);
    const first = vsiOf(wished);
    const known = this.#known.get(tsi);
    if (known !== undefined && isSame(known.vsi, first)) return grantOf(known);
    const { svid } = await this.#ready(within.deadlineMs);
    this.#owners.set(vsiKey(id), tsi);
    const ask = (vsi: StationVsi): Promise<StationAssociation> =>
      this.#channel.associate('preAssociateRr', vsi, NO_HINTS, Math.max(1, until - Date.now()));
    const granted = await ask(first).catch((caught: unknown) => {
      if (wished === null || !isAboutVid(toNveError(caught))) throw caught;
      return ask(vsiOf(null));
    });
    const [vid] = granted.vids;
    if (vid === undefined || granted.vids.some((other) => other !== vid)) {
      void this.#channel.deAssociate(id, within.deadlineMs).catch(() => undefined);
      throw nveError('NVE-VDP-008', { vsi: vsiText(id), field: 'VID for each MAC of one VN' });
    }
    const named = this.#vns.find((one) => one.vni === vni);
    const [mtu, gateway] = [named?.mtu ?? this.#mtu, named?.gateway ?? null];
    const tag = tagOf(this.#scheme, svid, vid);
    const now: Known = { tsi, vsi: vsiOf(vid), tag, mtu: mtu as Mtu, gateway, state: 'associated' };
    this.#known.set(tsi, now);
    return grantOf(now);
  }

  async activate(tsi: TsiId, { deadlineMs }: Within): Promise<Grant> {
    const known = this.#known.get(tsi);
    if (known === undefined) throw nveError('NVE-TSI-001', { tsi, link: this.link });
    if (known.state !== 'activated') {
      await this.#channel.associate('associate', known.vsi, NO_HINTS, deadlineMs);
      known.state = 'activated';
    }
    return grantOf(known);
  }

  /** An Associate with S set, or clear (RFC 8394 section 2): a keep-alive to the bridge, and so are those that follow it. */
  async suspend(tsi: TsiId, isSuspended: boolean, { deadlineMs }: Within): Promise<Grant> {
    const known = this.#known.get(tsi);
    if (known?.state !== 'activated') throw nveError('NVE-TSI-001', { tsi, link: this.link });
    await this.#channel.associate('associate', known.vsi, { ...NO_HINTS, suspended: isSuspended }, deadlineMs);
    return grantOf(known);
  }

  async deassociate(tsi: TsiId, { deadlineMs }: Within): Promise<void> {
    const id = idOf(tsi);
    if (this.#owners.get(vsiKey(id)) !== tsi) return;
    this.#forget(tsi, id);
    const isAway = this.#channel.bridge === null;
    const done = this.#channel.deAssociate(id, deadlineMs);
    if (!isAway) return done;
    // Nobody hears it: the bridge's toutKeepAlive frees what it holds. The machine forgets it all the same.
    void done.catch(() => undefined);
    throw nveError('NVE-VDP-020', { uplink: this.link });
  }

  hears(port: PortId): boolean {
    return this.#channel.hears(port);
  }

  drops() {
    return this.#channel.drops();
  }

  close(): void {
    this.#channel.close();
  }

  /** Throws NVE-VDP-020 or -021. */
  async #ready(deadlineMs: number): Promise<StationBridge> {
    const bridge = await this.#channel.heard(deadlineMs);
    if (!bridge.groupId) throw nveError('NVE-VDP-021', { bridge: bridge.mac, uplink: this.link });
    return bridge;
  }

  /** The bridge has given our S-channel another SVID: what was agreed in the former one is under a tag that is not ours any more. */
  #channelChanged(handlers: NegotiatorHandlers, svid: Vid | null): void {
    for (const { tsi, tag } of [...this.#known.values()]) {
      if (tag.kind !== 's-tag+c-tag' || tag.s_vid === svid) continue;
      this.#forget(tsi, idOf(tsi));
      handlers.changed({
        tsi,
        state: null,
        cause: `the S-channel has SVID ${svid} instead of ${tag.s_vid}`,
        retry: true,
      });
    }
  }

  #ended(handlers: NegotiatorHandlers, vsi: VsiId, error: NveError, retry: boolean): void {
    const tsi = this.#owners.get(vsiKey(vsi));
    const known = tsi === undefined ? undefined : this.#known.get(tsi);
    if (known === undefined) return;
    this.#forget(known.tsi, vsi);
    // Without an answer the NVE is away or slow: what was agreed may still stand there. Any other end is its word.
    const state = error.retryable ? known.state : null;
    handlers.changed({ tsi: known.tsi, state, cause: `${error.code}: ${error.message}`, retry });
  }

  #forget(tsi: TsiId, vsi: VsiId): void {
    this.#known.delete(tsi);
    this.#owners.delete(vsiKey(vsi));
  }

  /** Throws NVE-VDP-022. */
  #vniOf(vn: VnName): Vni {
    const known = this.#vns.find(({ name }) => name === vn);
    const vni = parseVni(known?.vni ?? BY_NUMBER.exec(vn)?.[1]);
    if (!vni.ok) throw nveError('NVE-VDP-022', { vn });
    return vni.value;
  }
}

function idOf(tsi: TsiId): VsiId {
  return vsiIdOf(tsi, (octets) => createHash('sha1').update(octets).digest());
}

function grantOf({ state, tag, mtu, gateway }: Known): Grant {
  return { state, tag, mtu, gateway };
}

function tagOf(scheme: TnveConfig['uplink']['scheme'], svid: Vid | null, vid: Vid): Tag {
  if (svid !== null) return { kind: 's-tag+c-tag', s_vid: svid, c_vid: vid };
  return { kind: scheme === 's-tag' ? scheme : 'c-tag', vid };
}

/** A refusal that may have been about the VID: after a restart of the NVE it may be another VN's. */
function isAboutVid({ code, context }: NveError): boolean {
  return code === 'NVE-VDP-005' || (code === 'NVE-VDP-006' && context['code'] === INVALID_VALUE);
}

function isSame(a: StationVsi, b: StationVsi): boolean {
  const text = ({ entries, qualifiers }: StationVsi): string =>
    JSON.stringify([entries.map(({ groupId, mac }) => [groupId, mac]), qualifiers]);
  return text(a) === text(b);
}
