// The engine in plain TypeScript: one frame and the tables in, what leaves and what is counted out. Written from docs/engine.md, docs/drops.md
// and the RFCs, to be read and believed; it is the oracle that the real engine is compared with. A file for each step, as the pipeline has;
// here they are put together. It knows no time, and so no rates, no links that go down and no addresses that are tried out; nor the
// exception path.

import type { Dest, GroupId } from '../types.js';
import { fromTenant, unselected, type Vap, vapOf } from './classify.js';
import { decapsulate } from './decap.js';
import { toVap } from './deliver.js';
import { priorityOf, toNextHop } from './encap.js';
import { Drop, type Fate, type Machine, Notes, Punt, Query, type Sent } from './fate.js';
import { fromUnderlay } from './outer.js';
import { ETHERNET, isGroup, macText, type Octets } from './packet.js';
import { isLiving } from './path.js';
import { fromVap } from './policy.js';
import type { State } from './state.js';
import { answerTo } from './suppress.js';
import { messageFor } from './too-big.js';

/** What is known of a frame that is forwarded. `from` null: it came by tunnel. */
interface Inside {
  readonly vn: number;
  readonly frame: Octets;
  readonly from: Vap | null;
  /** Of the outermost tag that it came in with. */
  readonly pcp: number;
}

export function fateOf(state: State, machine: Machine, port: number, frame: Octets): Fate {
  const notes = new Notes();
  const fate = (outcome: Fate['outcome'], detail: string | null, sent: readonly Sent[], asked = false): Fate => ({
    outcome,
    detail,
    sent,
    asked,
    drops: notes.drops,
    counted: notes.counted,
    learned: notes.learned,
  });
  const context = { state, machine, notes };
  try {
    if (frame.length > machine.buffer) throw new Drop('segmented');
    if (frame.length < ETHERNET) throw new Drop('truncated');
    const links = [...state.underlays.values()].filter((one) => one.port === port);
    if (links.length > 0) {
      const packet = fromUnderlay(machine, port, links, frame);
      if ('port' in packet) return fate('sent', null, [packet]);
      const way = forward(context, { ...decapsulate(state, packet), from: null, pcp: 0 });
      return fate(...way);
    }
    const vap = vapOf(state, machine, port, frame, notes);
    try {
      const inner = fromTenant(state, vap, frame, notes);
      fromVap(state, vap, inner);
      const answer = isGroup(inner) ? answerTo(state, vap, inner) : null;
      if (answer !== null) return fate('sent', null, [toVap(state, machine, vap.vap, answer, notes)]);
      return fate(...forward(context, { vn: vap.vn, frame: inner, from: vap, pcp: priorityOf(frame) }));
    } catch (caught) {
      if (!(caught instanceof Drop) || caught.longest === null) throw caught;
      return fate('dropped', caught.reason, tooBig(context, vap, frame, caught.reason, caught.longest));
    }
  } catch (caught) {
    if (caught instanceof Punt) return fate('punted', caught.kind, []);
    if (!(caught instanceof Drop)) throw caught;
    notes.drop(caught.reason);
    return fate('dropped', caught.reason, [], caught instanceof Query);
  }
}

interface Context {
  readonly state: State;
  readonly machine: Machine;
  readonly notes: Notes;
}

type Way = [outcome: Fate['outcome'], detail: null, sent: readonly Sent[]];

/** By destination MAC, inside the VN (RFC 8014, 3.1). */
function forward(context: Context, inside: Inside): Way {
  const { state } = context;
  const { vn, frame, from } = inside;
  if (isGroup(frame)) return replicate(context, inside);
  const to = state.rows.get(`${vn} ${macText(frame.subarray(0, 6))}`)?.dest;
  if (to === undefined) return unknown(context, inside);
  if (to.kind === 'vap' && to.vap === from?.vap && from.reflect !== true) throw new Drop('same_vap');
  // What came by a tunnel leaves by none.
  if (to.kind !== 'vap' && from === null) throw new Drop('split_horizon');
  return ['sent', null, [leave(context, inside, to)]];
}

function unknown(context: Context, inside: Inside): Way {
  const vn = context.state.vns.get(inside.vn);
  const uplink = [...context.state.vaps.values()].find((one) => one.vn === inside.vn && one.uplink);
  if (uplink !== undefined) {
    if (uplink.vap === inside.from?.vap) throw new Drop('unknown_unicast');
    return ['sent', null, [leave(context, inside, { kind: 'vap', vap: uplink.vap })]];
  }
  if (vn?.options?.unknown === 'flood') return replicate(context, inside);
  throw vn?.options?.unknown === 'query' ? new Query('unknown_unicast') : new Drop('unknown_unicast');
}

function replicate(context: Context, inside: Inside): Way {
  const { state, notes } = context;
  const { vn, from } = inside;
  const vaps = [...state.vaps.values()].filter(
    (one) => one.vn === vn && (one.vap !== from?.vap || one.reflect === true),
  );
  const remote = from === null ? [] : (state.floods.get(vn) ?? []);
  const targets: Dest[] = [...vaps.map(({ vap }) => ({ kind: 'vap', vap }) as const), ...remote];
  if (targets.length === 0) throw new Drop('no_receiver');
  const sent = targets.flatMap((target) => {
    try {
      return [leave(context, inside, target)];
    } catch (caught) {
      if (!(caught instanceof Drop)) throw caught;
      notes.drop(caught.reason);
      return [];
    }
  });
  return ['replicated', null, sent];
}

function leave({ state, machine, notes }: Context, { frame, pcp }: Inside, to: Dest): Sent {
  if (to.kind === 'vap') return toVap(state, machine, to.vap, frame, notes);
  const nh = to.kind === 'nh' ? to.nh : member(state, machine, to.group);
  return toNextHop(state, machine, nh, frame, pcp);
}

function member(state: State, machine: Machine, group: GroupId): number {
  const members = (state.groups.get(group)?.members ?? []).map(({ nh }) => nh);
  const living = members.filter((nh) => isLiving(state, nh));
  const [first] = living;
  if (first === undefined) throw new Drop('next_hop_down');
  return machine.choose?.(group, living) ?? first;
}

/** docs/engine.md, "What does not fit". */
function tooBig({ state, machine, notes }: Context, vap: Vap, frame: Octets, reason: string, longest: number): Sent[] {
  notes.drop(reason);
  const message = messageFor(unselected(vap, frame), reason, longest);
  if (message === null) return [];
  try {
    return [toVap(state, machine, vap.vap, message, notes)];
  } catch (caught) {
    if (!(caught instanceof Drop)) throw caught;
    notes.drop(caught.reason);
    return [];
  }
}
