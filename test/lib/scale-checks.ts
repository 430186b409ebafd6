// The tests that `scale.ts` is for, at a size. What it took is printed, and not judged.
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { obstacle } from './command.js';
import { Lab } from './lab.js';
import { type Rate, Scale, type ScaleOptions } from './scale.js';

const why = obstacle('ip', 'python3', 'nsenter', 'unshare', 'setpriv');
const TIMEOUT = 300_000;

export function checkScale(options: ScaleOptions): void {
  const lab = new Lab();
  let scale: Scale;

  const report = (what: string, { vsis, ms }: Rate): void => {
    const { agent, nva } = scale.memoryMb;
    const rate = `${vsis} VSIs in ${(ms / 1000).toFixed(1)} s, ${Math.round((1000 * vsis) / ms)}/s`;
    console.log(`${what}: ${rate}; since the start the agent took ${agent} MiB, the NVA ${nva} MiB`);
  };

  beforeAll(async () => {
    if (why === undefined) scale = await Scale.create(lab, options);
  });
  afterAll(() => lab.close());
  beforeEach((context) => {
    if (why !== undefined) context.skip(why);
  });

  it('all associate', { timeout: TIMEOUT }, async () => {
    report('associated', await scale.associateAll());
    expect(await scale.lost()).toEqual([]);
  });

  it('they live on for five keep-alive intervals', { timeout: TIMEOUT }, async () => {
    await new Promise((resolve) => setTimeout(resolve, 5 * scale.interval));
    expect(await scale.lost()).toEqual([]);
  });

  it('half of them migrate to another link', { timeout: TIMEOUT }, async () => {
    report('migrated', await scale.migrateHalf());
    await new Promise((resolve) => setTimeout(resolve, 2 * scale.interval));
    expect(await scale.lost()).toEqual([]);
  });
}
