import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { ethernet, onesSum, readPcap, tagged, udp, vxlan, writePcap } from './frames.mjs';
import { cyclesPerPacket, quantile } from './measure.mjs';
import { compare } from './report.mjs';
import { innerFrames, nveOf, SINK, SOURCE, sourceFrames, UNDERLAY_IP, VAP, VID, VNI } from './scenario.mjs';
import { type AllStats, checkCounters, checkFrames, checkUnderLoad } from './verify.mjs';

const MAC = '02:70:63:61:70:00';
const encap = { mode: 'encap', flows: 120 } as const;
const decap = { mode: 'decap', flows: 120 } as const;

/** What an engine that does its work writes. */
function written(what: typeof encap | typeof decap): Buffer[] {
  return innerFrames(what).map((frame, flow) => {
    if (what.mode === 'decap') return tagged(frame, VID);
    const { ip, mac } = nveOf(flow);
    const outer = { source: UNDERLAY_IP, destination: ip, sourcePort: 49_152 + flow, destinationPort: 4789 };
    return ethernet(mac, MAC, 0x0800, udp(outer, vxlan(VNI, frame)));
  });
}

describe('frames', () => {
  it('are those of the standards, and survive a file', () => {
    const [frame] = sourceFrames(decap, MAC);
    expect(frame).toHaveLength(110);
    expect(frame!.subarray(0, 16).toString('hex')).toBe('0270636170000200000200000800' + '4500');
    expect(onesSum(frame!.subarray(14, 34))).toBe(0xffff);
    expect(frame!.subarray(36, 50).toString('hex')).toBe('12b5' + '004c' + '0000' + '08000000' + '001389' + '00');
    expect(sourceFrames(encap, MAC)[0]!.subarray(12, 18).toString('hex')).toBe('8100' + '0064' + '0800');
    const folder = mkdtempSync(path.join(tmpdir(), 'splitnve-bench-test-'));
    const file = path.join(folder, 'frames.pcap');
    writePcap(file, sourceFrames(decap, MAC));
    expect(readPcap(file)).toEqual(sourceFrames(decap, MAC));
    rmSync(folder, { recursive: true });
  });

  it('of no two flows are the same', () => {
    for (const what of [encap, decap]) {
      const frames = sourceFrames(what, MAC).map((frame) => frame.toString('hex'));
      expect(new Set(frames).size).toBe(what.flows);
    }
  });
});

describe('checkFrames', () => {
  it.each([encap, decap])('passes what is right: $mode', (what) => {
    checkFrames(what, written(what), MAC);
  });

  it.each([encap, decap])('finds any changed byte but those of the source port: $mode', (what) => {
    const free = what.mode === 'encap' ? [34, 35] : [];
    for (let at = 0; at < written(what)[7]!.length; at++) {
      if (free.includes(at)) continue;
      const frames = written(what);
      frames[7]![at]! ^= 0x10;
      expect(() => checkFrames(what, frames, MAC), `byte ${at}`).toThrow('check failed');
    }
  });

  it.each([encap, decap])('finds a lost, a doubled and a swapped frame: $mode', (what) => {
    const frames = written(what);
    expect(() => checkFrames(what, frames.slice(1), MAC)).toThrow('119 frames');
    expect(() => checkFrames(what, [frames[0]!, ...frames], MAC)).toThrow('121 frames');
    expect(() => checkFrames(what, [frames[1]!, frames[0]!, ...frames.slice(2)], MAC)).toThrow('check failed');
  });

  it('finds flows that share source ports', () => {
    const frames = written(encap);
    for (const frame of frames) frame.writeUInt16BE(50_000, 34);
    expect(() => checkFrames(encap, frames, MAC)).toThrow('120 flows share 1 source ports');
  });
});

function stats(received: number, vap: number, sent: number, more: Partial<AllStats> = {}): AllStats {
  const none = { rxPackets: 0, rxBytes: 0, txPackets: 0, txBytes: 0, rxMissed: 0, rxErrors: 0 };
  return {
    ports: [
      { ...none, port: SOURCE, rxPackets: received },
      { ...none, port: SINK, txPackets: sent },
    ],
    vaps: [{ vap: VAP, inPackets: vap, inBytes: vap * 64, outPackets: vap, outBytes: vap * 60, suppressed: 0 }],
    drops: [],
    pollers: [],
    ...more,
  };
}

describe('counters', () => {
  it('after the last packet must all be the same, and nothing dropped', () => {
    checkCounters(encap, stats(120, 120, 120));
    for (const [wrong, message] of [
      [stats(119, 120, 120), 'received: 119'],
      [stats(120, 119, 120), 'vap: 119'],
      [stats(120, 120, 119), 'sent: 119'],
      [stats(120, 120, 120, { drops: [{ port: 0, reason: 'unknown_tag', packets: 1 }] }), 'unknown_tag'],
      [stats(120, 120, 120, { vaps: [] }), 'no counters'],
    ] as const)
      expect(() => checkCounters(encap, wrong)).toThrow(message);
    const short = { vap: VAP, inPackets: 120, inBytes: 119, outPackets: 0, outBytes: 0, suppressed: 0 };
    expect(() => checkCounters(encap, stats(120, 120, 120, { vaps: [short] }))).toThrow('119 bytes');
  });

  it('under load may differ by what came between two looks, and by no more', async () => {
    const looks =
      (...rows: AllStats[]) =>
      async () =>
        rows.shift() ?? stats(0, 0, 0);
    const half = stats(1000, 990, 980);
    await checkUnderLoad('encap', looks(half, half, half, stats(1005, 1005, 1000)));
    await expect(checkUnderLoad('encap', looks(half, stats(1005, 1005, 985)))).rejects.toThrow('packets are missing');
    await expect(checkUnderLoad('encap', async () => half)).rejects.toThrow('nothing more comes in');
    const far = [stats(1000, 1000, 1000), stats(2000, 2000, 2000), stats(3000, 3000, 3000), stats(3001, 3001, 3001)];
    await checkUnderLoad('decap', looks(...far));
    let packets = 1;
    const everTwice = async () => {
      packets *= 2;
      return stats(packets, packets, packets);
    };
    await expect(checkUnderLoad('encap', everTwice)).rejects.toThrow('too busy');
  });
});

describe('figures', () => {
  it('count cycles of the time that the thread had', () => {
    expect(cyclesPerPacket({ seconds: 1, packets: 10_000_000, waited: 0 }, 2e9)).toBe(200);
    expect(cyclesPerPacket({ seconds: 2, packets: 10_000_000, waited: 0.5 }, 2e9)).toBe(200);
  });

  it('are medians and quartiles, and differences within a round', () => {
    expect([0, 0.25, 0.5, 1].map((share) => quantile([4, 1, 3, 2, 5], share))).toEqual([1, 2, 3, 5]);
    const windows = (...cycles: number[]) =>
      cycles.map((value) => ({ seconds: 1, packets: 1_000_000 / value, waited: 0 }));
    const rounds = [
      { testpmd: windows(50, 60, 70), engine: windows(150, 160, 170) },
      { testpmd: windows(80, 80, 80), engine: windows(200, 200, 200) },
    ];
    const { testpmd, engine, difference, differences, ratio } = compare(encap, rounds, 1e6);
    expect([testpmd.cycles, engine.cycles, difference].map(Math.round)).toEqual([75, 185, 110]);
    expect(differences.map(Math.round)).toEqual([100, 120]);
    expect(ratio).toBeCloseTo(185 / 75);
  });

  it('leave out windows in which others had the CPU, and say when too few are left', () => {
    const good = { seconds: 1, packets: 10_000, waited: 0.1 };
    const bad = { seconds: 1, packets: 10, waited: 0.9 };
    const nothing = { seconds: 1, packets: 0, waited: 0 };
    const { engine } = compare(encap, [{ testpmd: [good], engine: [good, good, bad, nothing] }], 1e6);
    expect(engine).toMatchObject({ cycles: 90, windows: 4, disturbed: 2 });
    expect(() => compare(encap, [{ testpmd: [good], engine: [good, bad, bad] }], 1e6)).toThrow('2 of 3 windows');
  });
});
