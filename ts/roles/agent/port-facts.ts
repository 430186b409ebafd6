// What is remembered of ports that were made for a TSI, so that they can be made again after a restart.

import { z } from 'zod';
import { NewPortSchema } from '#hypervisor';
import { LinkNameSchema, TsiIdSchema, UnicastMacSchema } from '#model';
import type { Store } from '#store';

const WantedPortSchema = z.object({
  port: NewPortSchema,
  link: LinkNameSchema,
  tsi: TsiIdSchema,
  /** A TAP interface has it. */
  mac: UnicastMacSchema,
});
export type WantedPort = Readonly<z.output<typeof WantedPortSchema>>;

/** The store's kind of fact. */
const KIND = 'port';

export class PortFacts {
  readonly #store: Store | undefined;

  constructor(store: Store | undefined) {
    this.#store = store;
  }

  all(): WantedPort[] {
    return (this.#store?.facts(KIND) ?? []).flatMap(({ value }) => {
      const fact = WantedPortSchema.safeParse(value);
      return fact.success ? [fact.data] : [];
    });
  }

  put({ port, link, tsi, mac }: WantedPort): void {
    this.#store?.putFact(KIND, link, { port, link, tsi, mac });
  }

  forget(link: WantedPort['link']): void {
    this.#store?.putFact(KIND, link, null);
  }
}
