// The bench itself: finds out what the machine gives, checks that the frames come out right, and measures in turns.
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EngineProcess } from './engine.mjs';
import { readPcap, writePcap } from './frames.mjs';
import { BenchError, describeMachine, cpus as findCpus, keepOff } from './machine.mjs';
import { measure } from './measure.mjs';
import { compare } from './report.mjs';
import { commands, SINK, SOURCE, sourceFrames } from './scenario.mjs';
import { Testpmd } from './testpmd.mjs';
import { checkCounters, checkFrames, checkUnderLoad } from './verify.mjs';

/** @typedef {import('./scenario.mjs').Case} Case */
/** @typedef {import('./scenario.mjs').PortKind} PortKind */
/** @typedef {import('./report.mjs').Round} Round */
/** @typedef {Awaited<ReturnType<Bench['probe']>>} Machine */

/** @type {Case[]} */
export const QUICK = [
  { mode: 'encap', flows: 1 },
  { mode: 'encap', flows: 1000 },
  { mode: 'decap', flows: 1 },
  { mode: 'decap', flows: 1000 },
];
/** Rounds of one run of each side, and what a run is. */
const PLAN = { rounds: 3, warmupMs: 200, windows: 8, windowMs: 75 };
/** How long the frames of a short run may take. */
const PATIENCE_MS = 5000;

/** @param {string | null} rxFile @param {string | null} txFile @param {boolean} infiniteRx @returns {PortKind} */
const pcapPort = (rxFile, txFile, infiniteRx) => ({ driver: 'net_pcap', rxFile, txFile, infiniteRx });
/** @type {PortKind} */
const NULL_SINK = { driver: 'net_null', packetSize: 64, noRx: true };

export class Bench {
  #folder;
  #cpus = findCpus();
  #sourceMac = '';
  #hugepages = false;

  /** @param {string} folder for its files */
  constructor(folder) {
    this.#folder = folder;
    keepOff(this.#cpus, process.pid);
  }

  /**
   * What a reader of the figures must know, and what the frames need: the driver gives a pcap port its MAC (always the same to the first
   * such port of a process), and what is to be decapsulated must carry it.
   */
  async probe() {
    const engine = await EngineProcess.open(this.#cpus);
    const kind = pcapPort(this.#file('any', [Buffer.alloc(60)]), null, false);
    await engine.must([{ op: 'PortAdd', port: SOURCE, name: 'source', mtu: 1600, kind }]);
    this.#sourceMac = (await engine.portMacs())[SOURCE] ?? '';
    const { dpdk, hugepages } = await engine.info();
    const tscHz = (await engine.stats()).pollers[0]?.tscHz ?? Number.NaN;
    const { preferred } = engine;
    await engine.close();
    this.#hugepages = hugepages;
    return { ...describeMachine(), dpdk, hugepages, tscHz, preferred, used: this.#cpus };
  }

  /** Sends every frame of a case through the engine once, and looks at what comes out. @param {Case} what */
  async check(what) {
    const out = path.join(this.#folder, `${what.mode}-out.pcap`);
    const engine = await this.#engine(what, pcapPort(this.#source(what), null, false), pcapPort(null, out, false));
    const end = performance.now() + PATIENCE_MS;
    while ((await engine.counters()).tx < what.flows && performance.now() < end) await sleep(10);
    const sinkMac = (await engine.portMacs())[SINK] ?? '';
    checkCounters(what, await engine.allStats());
    await engine.close();
    checkFrames(what, readPcap(out), sinkMac);
  }

  /**
   * One run of each side for every case, round by round.
   * @param {readonly Case[]} cases
   * @param {(round: string) => void} tell
   * @param {number} tscHz
   */
  async compare(cases, tell, tscHz) {
    /** @type {Map<Case, Round[]>} */
    const rounds = new Map(cases.map((what) => [what, []]));
    for (let round = 1; round <= PLAN.rounds; round++) {
      for (const [what, done] of rounds) done.push(await this.#round(what));
      tell(`round ${round} of ${PLAN.rounds}: every counter agrees, no packet was dropped`);
    }
    return {
      results: cases.map((what) => compare(what, rounds.get(what) ?? [], tscHz)),
      plan: PLAN,
      runs: [...rounds].map(([what, rounds]) => ({ ...what, rounds })),
    };
  }

  /** @param {Case} what @returns {Promise<Round>} */
  async #round(what) {
    const source = this.#source(what);
    const peer = await Testpmd.open(this.#cpus, { source, hugepages: this.#hugepages });
    const testpmd = await measure(peer, PLAN);
    await peer.close();
    const ours = await this.#engine(what, pcapPort(source, null, true), NULL_SINK);
    const engine = await measure(ours, PLAN);
    await checkUnderLoad(what.mode, () => ours.allStats());
    await ours.close();
    return { testpmd, engine };
  }

  /** An engine that forwards from one to the other. @param {Case} what @param {PortKind} source @param {PortKind} sink */
  async #engine(what, source, sink) {
    const engine = await EngineProcess.open(this.#cpus);
    await engine.must(commands(what, { source, sink }));
    const mac = (await engine.portMacs())[SOURCE];
    if (mac !== this.#sourceMac) throw new BenchError(`the source's port has the MAC ${mac}, not ${this.#sourceMac}`);
    return engine;
  }

  /** @param {Case} what */
  #source(what) {
    return this.#file(`${what.mode}-${what.flows}`, sourceFrames(what, this.#sourceMac));
  }

  /** @param {string} name @param {Buffer[]} frames */
  #file(name, frames) {
    const file = path.join(this.#folder, `${name}.pcap`);
    writePcap(file, frames);
    return file;
  }
}
