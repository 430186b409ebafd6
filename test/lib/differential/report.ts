// What a run of the comparison has reached: every verdict, every kind of packet that leaves, and every drop reason, each with its count.
import { readFileSync } from 'node:fs';
import type { Trace } from '#dataplane';
import { outerOf } from '../../../ts/dataplane/sim/encap.js';
import { REASONS } from '../../../ts/dataplane/sim/index.js';
import { isTag, u16 } from '../../../ts/dataplane/sim/packet.js';
import { engineDropReasons } from '../../../ts/model/drops-page.js';
import { UNDERLAYS } from './network.js';

const RATES = 'a trace asks no meter, as if nobody had sent anything before';
/** Reasons that no trace of these gives, and why. */
export const UNREACHABLE: Readonly<Record<string, string>> = {
  port_unused: 'a port that is not there is refused, and one that is has a role',
  no_headroom: 'a buffer has room for the longest header there is',
  no_buffer: 'a trace has buffers without end',
  tx_full: 'nothing is sent',
  punt_policed: RATES,
  punt_full: 'nothing is punted',
  storm: RATES,
  policed: RATES,
  membership_invalid: 'no VN is in a group of the underlay here',
};

const CARRIED = ['vxlan', 'geneve'].flatMap((encap) => ['IPv4', 'IPv6'].map((family) => `by ${encap} over ${family}`));
const VERDICTS = [
  'batch taken',
  'batch refused',
  'sent',
  'replicated',
  'dropped',
  'too big IPv4',
  'too big IPv6',
  ...['lldp', 'ecp', 'link_local', 'arp', 'nd'].map((kind) => `punted ${kind}`),
  ...CARRIED,
  'answered for a tenant',
  'answered by the host',
  'asked for',
];

export class Reached {
  readonly #times = new Map<string, number>();

  /** The engine's drop reasons, by its source. */
  static reasons(): string[] {
    const source = readFileSync(new URL('../../../native/types/src/drop_reason.rs', import.meta.url), 'utf8');
    return engineDropReasons(source).map(([reason]) => reason);
  }

  see(what: Trace | string): void {
    if (typeof what === 'string') {
      this.#count(what);
      return;
    }
    const { outcome, detail, drops, frames, steps } = what;
    this.#count(outcome === 'punted' ? `${outcome} ${detail}` : outcome);
    for (const { reason, packets } of drops) this.#count(reason, packets);
    // The only frame that leaves instead of a dropped one is the message that it is too big.
    if (outcome === 'dropped') for (const { frame } of frames) this.#count(`too big ${versionOf(frame)}`);
    if (steps.some(({ step }) => step === 'suppress')) this.#count('answered for a tenant');
    if (steps.some(({ facts }) => facts['query'] === true)) this.#count('asked for');
    const isHost = outcome === 'sent' && steps.some(({ step, facts }) => step === 'outer' && 'port' in facts);
    if (isHost) this.#count('answered by the host');
    else for (const { port, frame } of frames) if (UNDERLAYS.some((one) => one === port)) this.#count(carriedBy(frame));
  }

  /** Verdicts and reasons with how often each was reached. */
  lines(): string[] {
    return [...VERDICTS, ...Reached.reasons()].map((what) => {
      const why = UNREACHABLE[what];
      return `${what.padEnd(22)} ${why === undefined ? (this.#times.get(what) ?? 0) : `- (${why})`}`;
    });
  }

  /** What should have been reached and was not. */
  missed(): string[] {
    return [...VERDICTS, ...REASONS].filter((what) => !this.#times.has(what));
  }

  has(what: string): boolean {
    return this.#times.has(what);
  }

  #count(what: string, times = 1): void {
    this.#times.set(what, (this.#times.get(what) ?? 0) + times);
  }
}

function carriedBy(packet: Uint8Array): string {
  const { ip, udp } = outerOf(packet);
  return `by ${u16(packet, udp + 2) === 6081 ? 'geneve' : 'vxlan'} over ${udp - ip === 40 ? 'IPv6' : 'IPv4'}`;
}

/** Of a frame's packet, behind all of its tags. */
function versionOf(frame: Uint8Array): string {
  let at = 12;
  while (isTag(u16(frame, at))) at += 4;
  return u16(frame, at) === 0x86dd ? 'IPv6' : 'IPv4';
}
