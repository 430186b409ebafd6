// To a tenant, in the reference model: what leaves for a VAP.

import type { VapId } from '../types.js';
import { select, underPolicy, type Vap } from './classify.js';
import { Drop, type Machine, type Notes, Punt, type Sent } from './fate.js';
import { bytes, C_TAG, isTag, type Octets, S_TAG, tagOf, u16 } from './packet.js';
import { permits } from './policy.js';
import type { State } from './state.js';

export function toVap(state: State, machine: Machine, id: VapId, inner: Octets, notes: Notes): Sent {
  const vap = state.vaps.get(id) as Vap;
  const { selector, port } = vap;
  const lists = [vap.options?.aclOut, state.vns.get(vap.vn)?.options?.aclOut];
  if (!permits(state, lists, inner)) throw new Drop('acl_out');
  const own = underPolicy(vap.tags, inner);
  const s = selector.kind === 's-tag' ? selector.vid : selector.kind === 's-tag+c-tag' ? selector.sVid : null;
  const c = selector.kind === 'c-tag' ? selector.vid : selector.kind === 's-tag+c-tag' ? selector.cVid : null;
  const tag = (tpid: number, vid: number | null) => (vid === null ? [] : tagOf(tpid, vid));
  const frame = bytes(own.subarray(0, 12), tag(S_TAG, s), tag(C_TAG, c), own.subarray(12));
  // On the link it must not look like another VAP's, nor like a frame about the link.
  if (isTag(u16(inner, 12)) || selector.kind === 'port') {
    const looksLike = comesBackAs(state, machine, port, frame);
    if (looksLike === 'punt') throw new Drop('link_local');
    if (looksLike !== null && looksLike !== vap.vap) throw new Drop('tenant_tag');
  }
  notes.count(id, 'out');
  return { port, frame: padded(frame), ports: null };
}

/** 802.3, 3.2.8: 64 bytes, of which 4 are the FCS. */
function padded(frame: Octets): Octets {
  return frame.length < 60 ? bytes(frame, new Uint8Array(60 - frame.length)) : frame;
}

/** What a frame that leaves by a port would be if it came in there: a VAP's, about the link, or (null) nobody's. */
function comesBackAs(state: State, machine: Machine, port: number, frame: Octets): VapId | 'punt' | null {
  const vaps = [...state.vaps.values()].filter((one) => one.port === port);
  try {
    return select(vaps, machine.portMac(port), frame).vap;
  } catch (caught) {
    return caught instanceof Punt ? 'punt' : null;
  }
}
