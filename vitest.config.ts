import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitest/config';

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
  'test/e2e/demo.test.ts',
  'test/e2e/differential.test.ts',
  'test/e2e/isolation*.test.ts',
  'test/e2e/table-scale.test.ts',
  'test/interop/lldpad-bridge.test.ts',
  'test/interop/lldpad-flood.test.ts',
];

export default defineConfig({
  resolve: { alias },
  test: {
    projects: [
      {
        // Beside the code they test. No packets, no processes, no privileges.
        extends: true,
        test: { name: 'unit', include: ['ts/**/*.test.ts'] },
      },
      {
        // What crosses a layer or a process, and mostly waits for it: two files at a time. A process each: an engine's EAL starts once in
        // a process. Each file has network namespaces, folders and names of its own.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/soak/**', ...ALONE],
          pool: 'forks',
          maxWorkers: 2,
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
