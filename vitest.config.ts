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
        // What crosses a layer or a process. One file at a time: they share the machine's CPUs, ports and namespaces. A process each:
        // an engine's EAL starts once in a process.
        extends: true,
        test: {
          name: 'e2e',
          include: ['test/**/*.test.ts'],
          exclude: ['test/soak/**'],
          pool: 'forks',
          fileParallelism: false,
          testTimeout: 60_000,
          hookTimeout: 60_000,
          sequence: { groupOrder: 1 },
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
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
