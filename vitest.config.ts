import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Tests run on the TypeScript sources, never on what a build left in dist/: each `#layer` of package.json points to its folder in ts/.
const { imports } = JSON.parse(readFileSync(new URL('./package.json', import.meta.url), 'utf8')) as {
  imports: Record<string, string>;
};
const alias = Object.entries(imports).map(([name, built]) => ({
  find: new RegExp(`^${name}$`),
  replacement: new URL(built.replace('./dist/', './ts/').replace(/\.js$/, '.ts'), import.meta.url).pathname,
}));

/** Loads, floods, traffic at a rate, and what looks at the whole machine. */
const ALONE = [
  'test/bench/**/*.test.ts',
  'test/e2e/access-flood.test.ts',
  'test/e2e/access-scale.test.ts',
  'test/e2e/churn*.test.ts',
  'test/e2e/demo-traces.test.ts',
  'test/e2e/isolation*.test.ts',
  'test/e2e/table-scale.test.ts',
  'test/interop/lldpad-bridge.test.ts',
  'test/interop/lldpad-flood.test.ts',
];

/** What takes longest, in a clean clone of which vitest remembers nothing: begun first, or all would wait for it at the end. */
const LONG = [
  'ts/wire/access-fuzz-ecp.test.ts',
  'ts/wire/access-fuzz-lldp.test.ts',
  'test/e2e/demo.test.ts',
  'test/e2e/differential.test.ts',
  'test/interop/lldpad.test.ts',
  'test/e2e/restart.test.ts',
  'test/e2e/underlay-failure.test.ts',
];

class LongFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const place = LONG.findIndex((file) => moduleId.endsWith(`/${file}`));
      return place === -1 ? LONG.length : place;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

export default defineConfig({
  resolve: { alias },
  test: {
    sequence: { sequencer: LongFirst },
    projects: [
      {
        // Beside the code they test. No packets, no processes, no privileges. A worker for each of two CPUs, of which vitest would leave one
        // to itself.
        extends: true,
        test: { name: 'unit', include: ['ts/**/*.test.ts'], maxWorkers: 2 },
      },
      {
        // What crosses a layer or a process, and mostly waits for it: three files at a time. A process each: an engine's EAL starts once in
        // a process. Each file has network namespaces, folders and names of its own.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/soak/**', ...ALONE],
          pool: 'forks',
          maxWorkers: 3,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
        },
      },
      {
        // The same, of those that need the machine's CPUs or its huge pages for themselves.
        extends: true,
        test: {
          name: 'e2e-alone',
          include: ALONE,
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        // Long runs, by `npm run soak` only. Their 60-second forms are ordinary e2e tests.
        extends: true,
        test: {
          name: 'soak',
          include: ['test/soak/**/*.test.ts'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 3_600_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
