// Tells those who watch (docs/rpc.md, notifications) what becomes of the rows that `tsi.list` shows. It must not know why a row changes.

import type { TopicData, TopicName } from '#hypervisor';
import type { LinkName, TsiId } from '#model';
import { rowOf, type TnveTsi } from './tsi.js';

type State = TopicData<'transition'>['to'];

export class Notices {
  readonly #link: LinkName;
  readonly #notify: <T extends TopicName>(topic: T, data: TopicData<T>) => void;
  /** What they were told last of each TSI that has a row. */
  readonly #told = new Map<TsiId, { readonly state: State; readonly cause: string | null }>();

  constructor(link: LinkName, notify: <T extends TopicName>(topic: T, data: TopicData<T>) => void) {
    this.#link = link;
    this.#notify = notify;
  }

  /** After a change of the row: by this request, or null. Says nothing if state and cause are what they were. */
  changed(tsi: TnveTsi, request: string | null): void {
    const { state, cause, ended } = tsi;
    const told = this.#told.get(tsi.tsi);
    if (told?.state === state && told.cause === cause) return;
    this.#told.set(tsi.tsi, { state, cause });
    if (told?.state !== state) {
      const { tag } = rowOf(tsi, this.#link);
      this.#transition(tsi, told?.state ?? 'init', state, tag, cause ?? request ?? 'the NVE');
    }
    if (request !== null) return;
    this.#notify('tsi', { tsi: tsi.tsi, link: this.#link, state, cause, retry: cause !== null && !ended });
  }

  /** It has no row any more. */
  gone(tsi: TnveTsi, request: string): void {
    const { tag, state } = rowOf(tsi, this.#link);
    this.#told.delete(tsi.tsi);
    this.#transition(tsi, state, 'init', tag, request);
  }

  #transition({ tsi, vn }: TnveTsi, from: State, to: State, tag: TnveTsi['tag'] | null, cause: string): void {
    this.#notify('transition', { tsi, link: this.#link, vn, from, to, tag, cause });
  }
}
