/**
 * The ways to the NVA: those of the configuration, and those that the NVA named itself. It says in which order they are tried (RFC 8014
 * section 7.4: by priority, at random among equals) and how long to wait between rounds. It knows nothing of sessions.
 */
import { type NveError, parseEndpoint } from '#model';

export interface NnpEndpoint {
  /** As `docs/nnp.md` writes it: `tls:HOST:PORT`, `tcp:ADDRESS:PORT`, `unix:/PATH`. */
  readonly name: string;
  /** Lower first. */
  readonly priority: number;
  /** How often it is chosen, beside others of its priority. */
  readonly weight: number;
}

export class NnpEndpoints {
  readonly #configured: readonly NnpEndpoint[];
  readonly #random: () => number;
  /** The NVA's own list; as soft as the session that it came with. */
  #named: readonly NnpEndpoint[] = [];
  /** Why the last attempt or session at each ended. */
  readonly #errors = new Map<string, NveError>();

  /** `random`: from 0 up to, not including, 1. */
  constructor(configured: readonly NnpEndpoint[], random: () => number) {
    this.#configured = configured;
    this.#random = random;
  }

  all(): readonly NnpEndpoint[] {
    return [...this.#configured, ...this.#named];
  }

  /** In a transport of another kind than that of the session (plain text instead of TLS) the NVA is not believed. */
  nameBy(from: NnpEndpoint, alternates: readonly NnpEndpoint[]): void {
    const kind = from.name.split(':')[0];
    const known = new Set(this.#configured.map(({ name }) => name));
    this.#named = alternates.filter(({ name }) => {
      const isNew = !known.has(name);
      known.add(name);
      return isNew && parseEndpoint(name)?.kind === kind;
    });
    const names = new Set(this.all().map(({ name }) => name));
    for (const name of this.#errors.keys()) if (!names.has(name)) this.#errors.delete(name);
  }

  /** In the order in which they are to be tried; `last`, if there is one, after all others. */
  order(last: string | null): NnpEndpoint[] {
    // Of two with a lot of u^(1/w), the one of weight w comes first w times as often (Efraimidis and Spirakis).
    const lots = this.all().map((endpoint) => ({ endpoint, lot: this.#random() ** (1 / endpoint.weight) }));
    const isLast = ({ endpoint }: { endpoint: NnpEndpoint }): number => (endpoint.name === last ? 1 : 0);
    lots.sort((a, b) => isLast(a) - isLast(b) || a.endpoint.priority - b.endpoint.priority || b.lot - a.lot);
    return lots.map(({ endpoint }) => endpoint);
  }

  /** Full jitter: all NVEs of a domain lose their NVA at the same time. */
  backoff(attempts: number, { backoffMinMs, backoffMaxMs }: { backoffMinMs: number; backoffMaxMs: number }): number {
    return Math.min(backoffMaxMs, backoffMinMs * 2 ** Math.min(attempts, 30)) * this.#random();
  }

  failed({ name }: NnpEndpoint, error: NveError): void {
    if (this.all().some((one) => one.name === name)) this.#errors.set(name, error);
  }

  succeeded({ name }: NnpEndpoint): void {
    this.#errors.delete(name);
  }

  errorOf({ name }: NnpEndpoint): NveError | null {
    return this.#errors.get(name) ?? null;
  }
}
