// What is measured: one VN on one NVE, with tenants on an access port and remote NVEs on the underlay. `encap` sends C-tagged frames of a
// tenant to remote MACs, `decap` sends VXLAN packets of remote NVEs to tenants. With N flows every frame of a round of N has its own
// MAC, addresses and ports; remote MACs and senders are spread over up to 100 NVEs.
import { ethernet, tagged, udp, vxlan } from './frames.mjs';

/** @typedef {import('#dataplane').Command} Command */
/** @typedef {import('#dataplane').PortKind} PortKind */
/** @typedef {'encap' | 'decap'} Mode */
/** @typedef {{ mode: Mode, flows: number }} Case */

export const VNI = 5001;
export const VID = 100;
export const UNDERLAY_IP = '192.0.2.1';
/** A 64-byte frame without its FCS, which no driver hands over. */
export const FRAME = 60;
/** Outer Ethernet, IPv4, UDP and VXLAN. */
export const OVERHEAD = 50;
const TAG = 4;
const NVES = 100;

/** Ids of the engine's objects. The source's port is the first, so that its counters are read first. */
export const SOURCE = 0;
export const SINK = 1;
export const VAP = 1;
const VN = 1;

/** @param {number} n */
const two = (n) => n.toString(16).padStart(2, '0');
/** @param {number} n */
export const tenantMac = (n) => `02:00:00:00:${two(n >> 8)}:${two(n & 0xff)}`;
/** @param {number} n */
export const remoteMac = (n) => `02:00:00:01:${two(n >> 8)}:${two(n & 0xff)}`;
/** The remote NVE of a flow. @param {number} flow */
export const nveOf = (flow) => ({
  index: flow % NVES,
  ip: `192.0.2.${10 + (flow % NVES)}`,
  mac: `02:00:00:02:00:${two(flow % NVES)}`,
});

/** An untagged tenant's frame. @param {string} to @param {string} from @param {number} flow */
function tenantFrame(to, from, flow) {
  const addresses = { source: '10.0.0.1', destination: `10.0.${1 + (flow >> 8)}.${flow & 0xff}` };
  const ports = { sourcePort: 1024 + flow, destinationPort: 7 };
  return ethernet(to, from, 0x0800, udp({ ...addresses, ...ports }, Buffer.alloc(FRAME - 14 - 20 - 8, flow)));
}

/** The frames as the tenant sends (encap) or receives (decap) them, without a tag; one for each flow. @param {Case} what */
export function innerFrames({ mode, flows }) {
  return Array.from({ length: flows }, (_, flow) =>
    mode === 'encap'
      ? tenantFrame(remoteMac(flow), tenantMac(0), flow)
      : tenantFrame(tenantMac(flow), remoteMac(flow), flow),
  );
}

/** What comes in: the frames of one round. @param {Case} what @param {string} portMac the MAC of the source's port */
export function sourceFrames(what, portMac) {
  return innerFrames(what).map((frame, flow) => {
    if (what.mode === 'encap') return tagged(frame, VID);
    const { ip, mac } = nveOf(flow);
    const outer = { source: ip, destination: UNDERLAY_IP, sourcePort: 49_152 + flow, destinationPort: 4789 };
    return ethernet(portMac, mac, 0x0800, udp(outer, vxlan(VNI, frame)));
  });
}

/** Bytes of a frame that comes in, and of what it leaves as. @param {Mode} mode */
export const lengths = (mode) =>
  mode === 'encap' ? { rx: FRAME + TAG, tx: FRAME + OVERHEAD } : { rx: FRAME + OVERHEAD, tx: FRAME + TAG };

/**
 * The whole of the engine's tables. Everything is in one batch, so that the first frame already meets all of it.
 * @param {Case} what
 * @param {{ source: PortKind, sink: PortKind }} kinds
 * @returns {Command[]}
 */
export function commands({ mode, flows }, kinds) {
  const [access, underlay] = mode === 'encap' ? [SOURCE, SINK] : [SINK, SOURCE];
  const tenants = mode === 'encap' ? 1 : flows;
  const nves = Array.from({ length: Math.min(flows, NVES) }, (_, index) => nveOf(index));
  /** @param {number} length @param {(n: number) => unknown} make */
  const each = (length, make) => Array.from({ length }, (_, n) => make(n));
  return /** @type {Command[]} */ ([
    { op: 'PortAdd', port: SOURCE, name: 'source', mtu: 1600, kind: kinds.source },
    { op: 'PortAdd', port: SINK, name: 'sink', mtu: 1600, kind: kinds.sink },
    { op: 'UnderlaySet', port: underlay, ip: UNDERLAY_IP, prefixLen: 24 },
    ...nves.map(({ ip, mac }) => ({ op: 'NeighbourSet', port: underlay, ip, mac })),
    { op: 'VnSet', vn: VN, vni: VNI, mtu: 1500 },
    // Guarded, as every VAP of an agent is.
    { op: 'VapSet', vap: VAP, vn: VN, port: access, selector: { kind: 'c-tag', vid: VID }, guard: true, uplink: false },
    ...nves.map(({ index, ip }) => ({ op: 'NextHopSet', nh: index, remote: ip, encap: 1, contextId: VNI })),
    { op: 'SourcesSet', vn: VN, ips: nves.map(({ ip }) => ip) },
    ...each(tenants, (n) => ({ op: 'FdbSet', vn: VN, mac: tenantMac(n), dest: { kind: 'vap', vap: VAP } })),
    ...each(flows, (n) => ({ op: 'FdbSet', vn: VN, mac: remoteMac(n), dest: { kind: 'nh', nh: nveOf(n).index } })),
  ]);
}
