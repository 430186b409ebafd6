// Checks the crates' manifests against the table of who may depend on whom, and where `unsafe` may stand.
import path from 'node:path';
import { parse } from 'smol-toml';
import { rustCrates } from './rules.mjs';
import { lineAt } from './typescript.mjs';

/** @typedef {import('./typescript.mjs').SourceFile} SourceFile */
/** @typedef {import('./typescript.mjs').Problem} Problem */
/** @typedef {Record<string, any>} Table a TOML table */

const dependencyTables = ['dependencies', 'build-dependencies', 'dev-dependencies'];

/**
 * @param {SourceFile[]} files every Cargo.toml and .rs file of native/, and the root Cargo.toml
 * @param {typeof rustCrates} [crates]
 * @returns {Problem[]}
 */
export function checkRust(files, crates = rustCrates) {
  const root = files.find((file) => file.path === 'Cargo.toml');
  const workspace = root ? parse(root.text) : {};
  /** @type {Table} */
  const shared = /** @type {Table} */ (workspace['workspace'])?.['dependencies'] ?? {};
  const problems = [];
  for (const file of files.filter((f) => path.posix.basename(f.path) === 'Cargo.toml')) {
    const name = file === root ? 'binding' : file.path.split('/')[1];
    const rules = name === undefined ? undefined : crates[name];
    if (name === undefined || !rules) {
      problems.push({
        path: file.path,
        line: 1,
        rule: 'crate',
        message: `${path.posix.dirname(file.path)} is no crate of the design`,
        remedy: 'add it to ts/tools/lint/rules.mjs and docs/architecture.md',
      });
      continue;
    }
    problems.push(...checkManifest(file, name, rules, shared));
    const sources = files.filter((f) => f.path.startsWith(`native/${name}/`) && f.path.endsWith('.rs'));
    problems.push(...checkUnsafe(`native/${name}/src/lib.rs`, sources, rules.unsafe));
  }
  return problems;
}

/**
 * @param {SourceFile} file
 * @param {string} name
 * @param {{ crates: string[], external: boolean }} rules
 * @param {Table} shared the workspace's dependencies
 * @returns {Problem[]}
 */
function checkManifest(file, name, rules, shared) {
  /** @type {Table} */
  const manifest = parse(file.text);
  const scopes = [manifest, ...Object.values(manifest['target'] ?? {})];
  const problems = [];
  for (const table of dependencyTables) {
    for (const [key, spec] of scopes.flatMap((scope) => Object.entries(/** @type {Table} */ (scope[table] ?? {})))) {
      const at = { path: file.path, line: lineOf(file.text, table, key) };
      const crate = workspaceCrate(file.path, key, spec, shared);
      if (crate === undefined) {
        // A test may use what it likes; what ships must not.
        if (rules.external || table === 'dev-dependencies') continue;
        const remedy = 'this crate holds plain values only: do it by hand, or in a crate above';
        problems.push({
          ...at,
          rule: 'dependency',
          message: `${name} must not depend on anything, here ${key}`,
          remedy,
        });
      } else if (!rules.crates.includes(crate)) {
        const remedy = `allowed here: ${rules.crates.join(', ') || 'none of ours'}; move the code to a crate that may know both`;
        problems.push({ ...at, rule: 'dependency', message: `${name} must not depend on ${crate}`, remedy });
      }
    }
  }
  return problems;
}

/**
 * The folder name of the workspace crate that a dependency means, or undefined for one from outside.
 * @param {string} manifest
 * @param {string} key
 * @param {any} spec
 * @param {Table} shared
 * @returns {string | undefined}
 */
function workspaceCrate(manifest, key, spec, shared) {
  const inherited = spec?.workspace === true;
  const where = inherited ? shared[key]?.path : spec?.path;
  if (typeof where !== 'string') return undefined;
  return path.posix.basename(path.posix.join(inherited ? '.' : path.posix.dirname(manifest), where));
}

/**
 * @param {string} libPath
 * @param {SourceFile[]} sources
 * @param {'forbid' | 'free' | string[]} rule
 * @returns {Problem[]}
 */
function checkUnsafe(libPath, sources, rule) {
  if (rule === 'free') return [];
  const level = rule === 'forbid' ? 'forbid' : 'deny';
  const lib = sources.find((file) => file.path === libPath);
  const problems = [];
  const wanted = rule === 'forbid' ? /^#!\[forbid\(unsafe_code\)\]/m : /^#!\[(deny|forbid)\(unsafe_code\)\]/m;
  if (!lib || !wanted.test(lib.text)) {
    const message = `the crate does not ${level} unsafe code`;
    problems.push({ path: libPath, line: 1, rule: 'unsafe', message, remedy: `write #![${level}(unsafe_code)]` });
  }
  for (const file of sources) {
    const allowed = /#!?\[allow\([^)]*\bunsafe_code\b/.exec(file.text);
    if (!allowed || (Array.isArray(rule) && rule.includes(file.path))) continue;
    problems.push({
      path: file.path,
      line: lineAt(file.text, allowed.index),
      rule: 'unsafe',
      message: 'this file allows unsafe code',
      remedy: 'keep it in dpdk, dpdk-bindings or the modules that rustCrates of ts/tools/lint/rules.mjs names',
    });
  }
  return problems;
}

/**
 * Where a dependency stands in a manifest. smol-toml gives no positions, so this looks for the key after its table's header.
 * @param {string} text
 * @param {string} table
 * @param {string} key
 */
function lineOf(text, table, key) {
  const lines = text.split('\n');
  const escaped = key.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const own = new RegExp(`^\\s*\\[(target\\..*\\.)?${table}\\.["']?${escaped}["']?\\]`);
  const entry = new RegExp(`^\\s*["']?${escaped}["']?\\s*[.=]`);
  let inTable = false;
  for (const [index, line] of lines.entries()) {
    if (own.test(line)) return index + 1;
    if (/^\s*\[/.test(line)) inTable = new RegExp(`^\\s*\\[(target\\..*\\.)?${table}\\]`).test(line);
    else if (inTable && entry.test(line)) return index + 1;
  }
  return 1;
}
