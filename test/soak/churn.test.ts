// The tests of test/e2e/churn.test.ts for as long as one likes: SPLITNVE_SOAK_MINUTES (10 unless said), half of them over the whole path and
// half inside one engine. A seed that fails is printed; SPLITNVE_SOAK_SEED runs it again first.
import { beforeEach, expect, it } from 'vitest';
import { Churn } from '../lib/churn.js';
import { obstacle } from '../lib/command.js';
import { Flood } from '../lib/flood.js';
import { Lab } from '../lib/lab.js';
import { Random } from '../lib/random.js';

const MINUTES = Number(process.env['SPLITNVE_SOAK_MINUTES'] ?? 10);
const FIRST = Number(process.env['SPLITNVE_SOAK_SEED'] ?? Date.now() % 1_000_000);
/** One lab lives this long, so that starting up and taking down is part of it; a flood's neighbours are answered for once, for 30 s. */
const SLICE = 20_000;

const why = obstacle('python3', 'ip', 'nsenter');
beforeEach((context) => {
  if (why !== undefined) context.skip(why);
});

it.each([
  ['over the whole path', Churn],
  ['inside one engine, at full speed', Flood],
])('no frame ever reaches the wrong VN, %s', async (_where, kind) => {
  const end = performance.now() + (MINUTES * 60_000) / 2;
  let rounds = 0;
  for (let seed = FIRST; performance.now() < end; seed++) {
    const lab = new Lab();
    try {
      const one = await kind.create(lab);
      expect(await one.run(new Random(seed), SLICE), `seed ${seed}`).toEqual([]);
      expect(await one.fewest(), `seed ${seed}`).toBeGreaterThan(500);
      rounds += one.rounds;
    } finally {
      await lab.close();
    }
  }
  console.log(`${rounds} rounds, seeds from ${FIRST}`);
});
