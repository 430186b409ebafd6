// Measuring a running forwarder, whichever it is: packets that left by the sink between two looks, and the time that its thread had.
import { setTimeout as sleep } from 'node:timers/promises';
import { waited } from './machine.mjs';

/**
 * @typedef {object} Forwarder
 * @property {number} pid
 * @property {number} tid the forwarding thread's
 * @property {() => Promise<{ rx: number, tx: number }>} counters
 */

/**
 * @typedef {object} Window one look to the next
 * @property {number} seconds
 * @property {number} packets
 * @property {number} waited the share of the time that others had the poller's CPU, 0 to 1
 */

/**
 * @param {Forwarder} forwarder
 * @param {{ warmupMs: number, windows: number, windowMs: number }} plan
 * @returns {Promise<Window[]>}
 */
export async function measure(forwarder, { warmupMs, windows, windowMs }) {
  const look = async () => {
    const { tx } = await forwarder.counters();
    return { at: process.hrtime.bigint(), waited: waited(forwarder.pid, forwarder.tid), tx };
  };
  await sleep(warmupMs);
  const result = [];
  let last = await look();
  for (let n = 0; n < windows; n++) {
    await sleep(windowMs);
    const now = await look();
    const nanoseconds = Number(now.at - last.at);
    const lost = (now.waited - last.waited) / nanoseconds;
    result.push({ seconds: nanoseconds / 1e9, packets: now.tx - last.tx, waited: Math.min(1, Math.max(0, lost)) });
    last = now;
  }
  return result;
}

/** TSC cycles per packet, of the time that the thread had. @param {Window} window @param {number} tscHz */
export const cyclesPerPacket = ({ seconds, packets, waited }, tscHz) => (seconds * (1 - waited) * tscHz) / packets;

/** @param {number[]} values @param {number} share 0 to 1 */
export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * share;
  const low = sorted[Math.floor(at)] ?? Number.NaN;
  const high = sorted[Math.ceil(at)] ?? Number.NaN;
  return low + (high - low) * (at - Math.floor(at));
}

/** @param {number[]} values */
export const median = (values) => quantile(values, 0.5);
