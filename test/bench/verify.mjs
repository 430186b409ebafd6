// Checks that packets really went where they should, on the counters of a run under load and on every byte of a short one. Each throws a
// BenchError that says what is wrong.
import { ipBytes, macBytes, onesSum, tagged } from './frames.mjs';
import { BenchError } from './machine.mjs';
import { innerFrames, lengths, nveOf, OVERHEAD, SINK, SOURCE, UNDERLAY_IP, VAP, VID, VNI } from './scenario.mjs';

/** @typedef {import('./scenario.mjs').Case} Case */
/** @typedef {import('./scenario.mjs').Mode} Mode */
/** @typedef {import('#dataplane').EngineStats & { vaps: readonly import('#dataplane').VapCounters[] }} AllStats */

/** @param {unknown} holds @param {string} message @returns {asserts holds} */
function check(holds, message) {
  if (!holds) throw new BenchError(`check failed: ${message}`);
}

/** The three places where each packet is counted, and nothing lost anywhere. @param {AllStats} stats @param {Mode} mode */
function places({ ports, vaps, drops }, mode) {
  check(drops.length === 0, `the engine dropped packets: ${JSON.stringify(drops)}`);
  const [source, sink] = [SOURCE, SINK].map((id) => ports.find(({ port }) => port === id));
  const vap = vaps.find(({ vap }) => vap === VAP);
  check(source && sink && vap, 'the engine shows no counters of source, sink and VAP');
  check(source.rxMissed + source.rxErrors === 0, `the source lost packets: ${JSON.stringify(source)}`);
  check(sink.rxPackets + source.txPackets === 0, 'packets went the wrong way');
  return { received: source.rxPackets, vap: mode === 'encap' ? vap.inPackets : vap.outPackets, sent: sink.txPackets };
}

/**
 * Under load counters cannot be read at one moment, and a burst may be under way. But once a burst has come in after a first look, all
 * that any place had counted by then has gone through all of them: none can have missed more than what came between two such looks.
 * @param {Mode} mode
 * @param {() => Promise<AllStats>} stats
 */
export async function checkUnderLoad(mode, stats) {
  for (let attempt = 0; attempt < 100; attempt++) {
    const before = places(await stats(), mode);
    const most = Math.max(...Object.values(before));
    let after = places(await stats(), mode);
    for (let look = 0; after.received <= most && look < 1000; look++) after = places(await stats(), mode);
    check(after.received > most, `nothing more comes in: ${JSON.stringify(after)}`);
    const least = Math.min(...Object.values(after));
    check(least >= most, `packets are missing: ${JSON.stringify(before)}, then ${JSON.stringify(after)}`);
    if (after.received - before.received <= after.received / 100) return;
  }
  check(false, 'the counters cannot be read closely enough one after the other: the machine is too busy');
}

/** After the last packet, every place has counted all. @param {Case} what @param {AllStats} stats */
export function checkCounters(what, stats) {
  const counted = places(stats, what.mode);
  for (const [place, packets] of Object.entries(counted))
    check(packets === what.flows, `${place}: ${packets} packets instead of ${what.flows}`);
  const vap = stats.vaps[0];
  const { rx, tx } = lengths(what.mode);
  const bytes = what.mode === 'encap' ? [vap?.inBytes, rx] : [vap?.outBytes, tx - 4];
  check(bytes[0] === what.flows * (bytes[1] ?? 0), `the VAP counted ${bytes[0]} bytes`);
}

/**
 * What the sink wrote, byte by byte.
 * @param {Case} what
 * @param {readonly Buffer[]} frames
 * @param {string} sinkMac
 */
export function checkFrames(what, frames, sinkMac) {
  check(frames.length === what.flows, `${frames.length} frames came out instead of ${what.flows}`);
  const inner = innerFrames(what);
  if (what.mode === 'decap') {
    for (const [flow, frame] of frames.entries())
      check(frame.equals(tagged(/** @type {Buffer} */ (inner[flow]), VID)), `frame ${flow}: ${frame.toString('hex')}`);
    return;
  }
  const sourcePorts = new Set();
  for (const [flow, frame] of frames.entries()) {
    checkOuter(frame, flow, sinkMac);
    check(
      frame.subarray(OVERHEAD).equals(/** @type {Buffer} */ (inner[flow])),
      `flow ${flow}: the inner frame changed`,
    );
    sourcePorts.add(frame.readUInt16BE(34));
  }
  // 1,000 flows thrown at 16,384 ports meet about 30 times.
  check(sourcePorts.size > what.flows * 0.9, `${what.flows} flows share ${sourcePorts.size} source ports`);
}

/** @param {Buffer} frame @param {number} flow @param {string} sinkMac */
function checkOuter(frame, flow, sinkMac) {
  const nve = nveOf(flow);
  const length = lengths('encap').tx;
  /** @type {[string, unknown, unknown][]} */
  const fields = [
    ['length', frame.length, length],
    ['outer destination MAC', frame.subarray(0, 6).toString('hex'), macBytes(nve.mac).toString('hex')],
    ['outer source MAC', frame.subarray(6, 12).toString('hex'), macBytes(sinkMac).toString('hex')],
    ['outer EtherType', frame.readUInt16BE(12), 0x0800],
    ['IPv4 version and header length', frame[14], 0x45],
    ['IPv4 length', frame.readUInt16BE(16), length - 14],
    ['fragment field', frame.readUInt16BE(20), 0x4000],
    ['protocol', frame[23], 17],
    ['IPv4 header sum', onesSum(frame.subarray(14, 34)), 0xffff],
    ['outer source', frame.subarray(26, 30).join('.'), UNDERLAY_IP],
    ['outer destination', frame.subarray(30, 34).join('.'), ipBytes(nve.ip).join('.')],
    ['UDP destination port', frame.readUInt16BE(36), 4789],
    ['UDP length', frame.readUInt16BE(38), length - 34],
    ['UDP checksum', frame.readUInt16BE(40), 0],
    ['VXLAN flags', frame.readUInt32BE(42), 0x0800_0000],
    ['VNI and reserved byte', frame.readUInt32BE(46), VNI * 256],
  ];
  for (const [name, got, expected] of fields)
    check(got === expected, `flow ${flow}: ${name} is ${got} instead of ${expected}`);
  check(frame.readUInt16BE(34) >= 49_152, `flow ${flow}: source port ${frame.readUInt16BE(34)} is below 49152`);
}
