// Negotiates over the RPC of the NVE's agent, for links without VDP.

import { HypervisorClient, type TsiListRow } from '#hypervisor';
import { type LinkName, nveError, type TsiId, toNveError, type VnName } from '#model';
import type { Grant, Negotiator, NegotiatorHandlers, Wish, Within } from './negotiator.js';

export interface RpcNegotiatorOptions {
  readonly socket: string;
  /** What the agent calls the link. */
  readonly link: LinkName;
  /** Who is calling, for the agent's log. */
  readonly node: string;
}

export class RpcNegotiator implements Negotiator {
  readonly link: LinkName;
  readonly #client: HypervisorClient;
  /** What may be associated there. */
  readonly #asked = new Set<TsiId>();

  constructor({ socket, link, node }: RpcNegotiatorOptions) {
    this.link = link;
    this.#client = new HypervisorClient({ socket, client: node });
  }

  /** The agent knows VNs by name. */
  vnName(vn: VnName): VnName {
    return vn;
  }

  async start(handlers: NegotiatorHandlers): Promise<void> {
    this.#client.on('connected', ({ name }) => handlers.available(name));
    this.#client.on('disconnected', (error) => handlers.away(`${error.code}: ${error.message}`));
    this.#client.on('tsi', ({ tsi, link, state, cause, retry }) => {
      if (link !== this.link) return;
      const stands = state === 'activated' || state === null ? state : 'associated';
      handlers.changed({ tsi, state: stands, cause, retry: state === null && retry });
    });
    this.#client.start();
  }

  async associate({ tsi, vn, macs, ips }: Wish, within: Within): Promise<Grant> {
    const { link } = this;
    const isNew = !this.#asked.has(tsi);
    this.#asked.add(tsi);
    try {
      return grantOf(await this.#client.associate({ tsi, vn, macs: [...macs], ips: [...ips], link }, within));
    } catch (caught) {
      // Without a connection nothing can have begun there.
      if (isNew && toNveError(caught).code === 'NVE-RPC-001') this.#asked.delete(tsi);
      throw caught;
    }
  }

  async activate(tsi: TsiId, within: Within): Promise<Grant> {
    return grantOf(await this.#client.activate({ tsi, link: this.link }, within));
  }

  async suspend(tsi: TsiId, isSuspended: boolean, within: Within): Promise<Grant> {
    const key = { tsi, link: this.link };
    return grantOf(await (isSuspended ? this.#client.suspend(key, within) : this.#client.resume(key, within)));
  }

  async deassociate(tsi: TsiId, within: Within): Promise<void> {
    if (!this.#asked.has(tsi)) return;
    await this.#client.deassociate({ tsi, link: this.link }, within);
    this.#asked.delete(tsi);
  }

  hears(): false {
    return false;
  }

  drops(): [] {
    return [];
  }

  close(): void {
    this.#client.close();
  }
}

function grantOf({ state, tag, mtu, gateway }: TsiListRow): Grant {
  if (tag === null || mtu === null)
    throw nveError('NVE-WIRE-003', { at: 'TSI row', got: 'no tag or no MTU', expected: 'both' });
  return { state: state === 'activated' ? state : 'associated', tag, mtu, gateway: gateway ?? null };
}
