// The layer lint: `node ts/tools/lint/layers.mjs`. Prints every import or dependency that goes against the design, and exits 1 if any does.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { checkRust } from './rust.mjs';
import { checkTypeScript } from './typescript.mjs';

/** @typedef {import('./typescript.mjs').SourceFile} SourceFile */

/**
 * Every problem of the tree under `root`.
 * @param {string} root
 */
export function checkLayers(root) {
  const aliases = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')).imports ?? {};
  const sources = filesUnder(root, 'ts', /\.(ts|mjs|js)$/);
  const native = [...filesUnder(root, 'native', /(\.rs|Cargo\.toml)$/), load(root, 'Cargo.toml')];
  return [...checkTypeScript(sources, { aliases }), ...checkRust(native)];
}

/** @param {string} root @param {string} folder @param {RegExp} pattern @returns {SourceFile[]} */
function filesUnder(root, folder, pattern) {
  return readdirSync(path.join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => path.relative(root, path.join(entry.parentPath ?? entry.path, entry.name)))
    .filter((file) => !file.split(path.sep).includes('target'))
    .sort()
    .map((file) => load(root, file));
}

/** @param {string} root @param {string} file @returns {SourceFile} */
function load(root, file) {
  return { path: file, text: readFileSync(path.join(root, file), 'utf8') };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkLayers(path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../..'));
  for (const { path: file, line, rule, message, remedy } of problems) {
    console.error(`${file}:${line}: ${rule}: ${message}\n    ${remedy}`);
  }
  if (problems.length > 0) process.exitCode = 1;
}
