// Who a client is, and what it may do. Who can open the local socket may do everything. A client with a certificate may do what is about
// the links that the configuration gives it, and sees nothing of others.

import { matchesPattern, type NveError, nveError } from '#model';
import { METHODS, type MethodName } from './methods.js';

/** A `[[rpc.tls.client]]`: the name in its certificate, and its links; `*` in one stands for any characters. */
export interface TlsClientRule {
  readonly name: string;
  readonly links: readonly string[];
}

export class Access {
  /** Of the local socket. */
  static readonly local = new Access('the local socket', null);
  /** Who it is, for messages. */
  readonly name: string;
  readonly #links: readonly string[] | null;

  /** `links` null: all. */
  private constructor(name: string, links: readonly string[] | null) {
    this.name = name;
    this.#links = links;
  }

  /** NVE-RPC-012 if no rule names the client. */
  static ofClient(name: string | null, rules: readonly TlsClientRule[]): Access | NveError {
    const rule = rules.find((one) => one.name === name);
    if (rule === undefined) return nveError('NVE-RPC-012', { client: name ?? 'a certificate without a name' });
    return new Access(rule.name, rule.links);
  }

  mayUse(link: string): boolean {
    return this.#links === null || this.#links.some((pattern) => matchesPattern(pattern, link));
  }

  /** Why a call may not be made: NVE-RPC-011 for a link, NVE-RPC-013 for a method. */
  refusal(method: MethodName, params: unknown): NveError | undefined {
    if (this.#links === null) return undefined;
    const row = METHODS[method];
    if (!('links' in row)) return nveError('NVE-RPC-013', { method });
    const links = row.links as (params: unknown) => readonly string[];
    const link = links(params).find((one) => !this.mayUse(one));
    return link === undefined ? undefined : nveError('NVE-RPC-011', { client: this.name, link });
  }
}
