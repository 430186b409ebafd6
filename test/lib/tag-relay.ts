// The tests' end of tag-relay.py: tenants with an ordinary Ethernet interface behind an access link with tags.
import { fileURLToPath } from 'node:url';
import { ETHERTYPE } from './frames.js';
import type { Namespace } from './namespace.js';
import { Talker } from './talker.js';

const PROGRAM = fileURLToPath(new URL('tag-relay.py', import.meta.url));

export interface RelayEnd {
  readonly namespace: Namespace;
  readonly iface: string;
}

export type RelayTag = readonly [tpid: number, vid: number];

export const cTag = (vid: number): RelayTag => [ETHERTYPE.cTag, vid];
export const sTag = (vid: number): RelayTag => [ETHERTYPE.sTag, vid];

export class TagRelay {
  readonly #talker = new Talker('tag-relay.py', 'python3', ['-B', PROGRAM]);

  /** From now on what comes from the tenant leaves on the link under these tags (the outermost first), and the other way round. */
  async join(link: RelayEnd, tenant: RelayEnd, ...tags: RelayTag[]): Promise<void> {
    await this.#talker.call({ call: 'join', link: place(link), tenant: place(tenant), tags });
  }

  close(): Promise<void> {
    return this.#talker.close();
  }
}

const place = ({ namespace, iface }: RelayEnd): [string, string] => [namespace.path, iface];
