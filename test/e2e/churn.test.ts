// VNs come and go under traffic, and their numbers pass to other VNs at once: no frame ever arrives in the wrong VN.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { Churn } from '../lib/churn.js';
import { obstacle } from '../lib/command.js';
import { eventually, grown } from '../lib/engine.js';
import { Flood } from '../lib/flood.js';
import { Lab } from '../lib/lab.js';
import { Random } from '../lib/random.js';

const why = obstacle('python3', 'ip', 'nsenter');
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

describe('the whole path', () => {
  const lab = new Lab();
  let churn: Churn;
  beforeAll(async () => {
    if (why === undefined) churn = await Churn.create(lab);
  });
  afterAll(() => lab.close());

  it('VNs made again under each other’s ids, tags and VNIs: no frame arrives in the wrong VN', async () => {
    expect(await churn.run(new Random(8014), 15_000)).toEqual([]);
    expect(churn.rounds).toBeGreaterThan(100);
    expect(await churn.fewest()).toBeGreaterThan(500);
  });

  it('and the check sees a leak where there is one', async () => {
    await churn.crossWires();
    await churn.start(new Random(1));
    await churn.stop();
    expect(await churn.leaks()).not.toEqual([]);
  });
});

describe('inside one engine, at full speed', () => {
  const lab = new Lab();
  let flood: Flood;
  beforeAll(async () => {
    if (why === undefined) flood = await Flood.create(lab);
  });
  afterAll(() => lab.close());

  it('VNs made again under each other’s ids: no frame leaves by a port of another VN', async () => {
    expect(await flood.run(new Random(7348), 5_000)).toEqual([]);
    expect(flood.rounds).toBeGreaterThan(100);
    expect(await flood.fewest()).toBeGreaterThan(10_000);
  });

  it('rows that move to other next hops: no frame is lost', async () => {
    // Drops of the test before, after which some VNs may be down: unknown tags and VNIs go on.
    const relevant = async () => {
      const drops = await flood.engine.drops();
      return Object.fromEntries(Object.entries(drops).filter(([key]) => !/unknown_(tag|vni)$|port_unused$/.test(key)));
    };
    const [before, rounds] = [await relevant(), flood.rounds];
    await flood.moveNextHops(new Random(8394), 2_000);
    expect(flood.rounds - rounds).toBeGreaterThan(100);
    expect(grown(before, await relevant())).toEqual({});
    expect(await flood.mixtures()).toEqual([]);
  });

  it('and the check sees a leak where there is one', async () => {
    await flood.crossWires();
    await eventually('a mixture', async () => (await flood.mixtures()).length > 0);
  });
});
