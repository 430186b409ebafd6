// Builds into dist/: the native addon in release mode, and the TypeScript. cargo and tsc decide what is old; this takes care of what they
// leave behind.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { duration, ROOT, run, SetupError } from './system.mjs';

/**
 * Throws a SetupError when a part does not build.
 * @param {(line: string) => void} [onLine] gets all that would go to the user, who then sees nothing
 */
export async function build(onLine) {
  await step('native addon (release)', ['run', '--silent', 'build:native'], onLine);
  const addon = `dist/native/splitnve.linux-${process.arch}-gnu.node`;
  if (!existsSync(path.join(ROOT, addon))) {
    throw new SetupError(
      `the build ended well, but ${addon} is not there`,
      'see the napi section and build:native of package.json',
    );
  }
  cleanOutput(ROOT);
  await step('TypeScript', ['run', '--silent', 'build:ts'], onLine);
}

/** @param {string} name @param {string[]} npmArgs @param {((line: string) => void) | undefined} onLine */
async function step(name, npmArgs, onLine) {
  const start = performance.now();
  const status = await run('npm', npmArgs, { onLine, isQuiet: onLine !== undefined });
  if (status !== 0) throw new SetupError(`the ${name} did not build`, 'see the messages above');
  (onLine ?? console.log)(`build: ${name}: ${duration(performance.now() - start)}`);
}

/**
 * Removes outputs whose sources are gone, so that no deleted module can be imported. And when an output is gone whose source is there, makes
 * tsc forget what it built: it looks at its own record, not at the files.
 * @param {string} root
 */
export function cleanOutput(root) {
  const dist = path.join(root, 'dist');
  if (!existsSync(dist)) return;
  const sources = new Set(
    walk(path.join(root, 'ts'))
      .filter((file) => file.endsWith('.ts') && !/\.(test|d)\.ts$/.test(file))
      .map((file) => file.slice(0, -'.ts'.length)),
  );
  const outputs = walk(dist).filter((file) => !file.startsWith(`native${path.sep}`) && /\.js(\.map)?$/.test(file));
  const kept = new Set();
  for (const file of outputs) {
    const stem = file.replace(/\.js(\.map)?$/, '');
    if (!sources.has(stem)) rmSync(path.join(dist, file));
    else if (file.endsWith('.js')) kept.add(stem);
  }
  if (kept.size < sources.size) rmSync(path.join(dist, '.tsbuildinfo'), { force: true });
}

/** Every file below a folder, as paths from it. @param {string} folder */
function walk(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath ?? entry.path, entry.name)));
}
