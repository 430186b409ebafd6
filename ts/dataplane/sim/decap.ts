// A tunnelled packet's VN, and the tenant's frame that comes out of it, in the reference model.

import { checkShape, type Vn } from './classify.js';
import { Drop } from './fate.js';
import type { Tunnelled } from './outer.js';
import { be16, classOf, equal, innerIp, isHost, isLinkLocal, isStation, type Octets, octetsOf, u16 } from './packet.js';
import type { State } from './state.js';

export function decapsulate(state: State, packet: Tunnelled): { readonly vn: number; readonly frame: Octets } {
  const vn = [...state.vns.values()].find((one) => one.vni === packet.vni);
  if (vn === undefined) throw new Drop('unknown_vni');
  if (!maySend(state, vn, packet.sender)) throw new Drop('source_nve');
  const { frame } = packet;
  if (isLinkLocal(frame.subarray(0, 6))) throw new Drop('link_local');
  if (!isStation(frame.subarray(6, 12))) throw new Drop('source_invalid');
  checkShape(frame, vn.mtu);
  if (packet.reserved && vn.options?.strict === true) throw new Drop('reserved_bits');
  const tenants = withOuter(frame, packet.trafficClass, vn.options?.dscpOut === 'uniform');
  // Into a VN that learns sends every NVE, and nobody who can be none.
  if (vn.options?.learn === true && !isHost(packet.sender)) throw new Drop('source_nve');
  return { vn: vn.vn, frame: tenants };
}

function maySend(state: State, vn: Vn, sender: Octets): boolean {
  const isNamed = (state.sources.get(vn.vn) ?? []).some((ip) => equal(octetsOf(ip), sender));
  return isNamed || vn.options?.learn === true;
}

/** RFC 6040, 4.2, figure 4: by the tenant's field, what it becomes under an outer Not-ECT, ECT(1), ECT(0) and CE; null is a drop. */
const FIGURE_4: readonly (readonly (number | null)[])[] = [
  [0, 0, 0, null],
  [1, 1, 1, 3],
  [2, 1, 2, 3],
  [3, 3, 3, 3],
];

/** The tenant's frame as it leaves a tunnel whose outer header had the class `outer` (RFC 2983: `uniform` takes its DSCP, too). */
function withOuter(frame: Octets, outer: number, uniform: boolean): Octets {
  const ip = innerIp(frame);
  if (ip === null) return frame;
  const before = classOf(frame);
  const ecn = FIGURE_4[before & 3]?.[outer & 3];
  if (typeof ecn !== 'number') throw new Drop('ecn');
  const after = ((uniform ? outer : before) & 0xfc) | ecn;
  if (after === before) return frame;
  const changed = Uint8Array.from(frame);
  const shift = ip.version === 4 ? 0 : 4;
  changed.set(be16((u16(frame, ip.at) & ~(0xff << shift)) | (after << shift)), ip.at);
  if (ip.version === 6) return changed;
  // RFC 1624, 3: a checksum that was wrong stays so.
  const field = ip.at + 10;
  const sum = (~u16(frame, field) & 0xffff) + (~u16(frame, ip.at) & 0xffff) + u16(changed, ip.at);
  const once = (sum & 0xffff) + (sum >> 16);
  changed.set(be16(~((once & 0xffff) + (once >> 16)) & 0xffff), field);
  return changed;
}
