// Checks the imports of ts/ against the layers: which folder, by which name, and which built-in modules.
import { builtinModules } from 'node:module';
import path from 'node:path';
import ts from 'typescript';
import { standalone, typescriptLayers } from './rules.mjs';

/** @typedef {{ path: string, text: string }} SourceFile */
/** @typedef {{ path: string, line: number, rule: string, message: string, remedy: string }} Problem */

const builtins = new Set(builtinModules);

/**
 * @param {SourceFile[]} files paths from the root of the project, with forward slashes
 * @param {{ layers?: typeof typescriptLayers, aliases: Record<string, string> }} context `aliases`: package.json's `imports`
 * @returns {Problem[]}
 */
export function checkTypeScript(files, { layers = typescriptLayers, aliases }) {
  const problems = checkAliases(aliases, layers);
  for (const file of files) {
    const layer = file.path.split('/')[1] ?? '';
    if (!Object.hasOwn(layers, layer)) {
      problems.push({
        path: file.path,
        line: 1,
        rule: 'layer',
        message: `ts/${layer} is no layer of the design`,
        remedy: 'move the file into a layer, or add the layer to ts/tools/lint/rules.mjs and docs/architecture.md',
      });
      continue;
    }
    for (const { fileName, pos } of ts.preProcessFile(file.text, true, true).importedFiles) {
      const found = checkImport(file.path, layer, fileName, layers, aliases);
      if (found) problems.push({ path: file.path, line: lineAt(file.text, pos), ...found });
    }
  }
  return problems;
}

/**
 * @param {string} importer
 * @param {string} layer
 * @param {string} name what stands in the import
 * @param {typeof typescriptLayers} layers
 * @param {Record<string, string>} aliases
 * @returns {Pick<Problem, 'rule' | 'message' | 'remedy'> | undefined}
 */
function checkImport(importer, layer, name, layers, aliases) {
  const rules = layers[layer];
  if (!rules) return undefined;
  const isTest = importer.endsWith('.test.ts');
  const home = Object.keys(standalone).find((folder) => importer.startsWith(`${folder}/`));
  const builtin = name.startsWith('node:') ? name.slice('node:'.length) : builtins.has(name) ? name : undefined;

  if (builtin !== undefined) {
    // Tests may read their vectors from disk.
    if (isTest || !rules.builtins || rules.builtins.allowed.includes(builtin)) return undefined;
    return {
      rule: 'builtin',
      message: `${layer} must not import ${name}`,
      remedy: rules.builtins.why,
    };
  }
  if (name.startsWith('#')) {
    const target = name.slice(1);
    if (!Object.hasOwn(aliases, name)) {
      return {
        rule: 'alias',
        message: `${name} is not among the imports of package.json`,
        remedy: Object.hasOwn(layers, target)
          ? `add "${name}": "./dist/${target}/index.js" to the imports of package.json`
          : 'import the layer itself (#model, #wire, …) and export what you need from its index.ts',
      };
    }
    if (target === layer) {
      return {
        rule: 'alias',
        message: `${layer} imports itself as ${name}`,
        remedy: "inside a layer import by path: './file.js'",
      };
    }
    if (rules.imports.includes(target) && !home) return undefined;
    return {
      rule: 'direction',
      message: `${layer} must not import ${name}`,
      remedy: home
        ? (standalone[home] ?? '')
        : `allowed here: ${rules.imports.map((r) => `#${r}`).join(', ') || 'nothing of ours'}; ${rules.alsoNot ?? 'move the code to the layer that may know both'}`,
    };
  }
  if (name.startsWith('.')) {
    const target = path.posix.join(path.posix.dirname(importer), name);
    const [top, targetLayer] = target.split('/');
    if (top === 'ts' && targetLayer !== layer) {
      return {
        rule: 'alias',
        message: `${layer} reaches into ${targetLayer} by the path ${name}`,
        remedy: `import from '#${targetLayer}' (and only where the direction allows it)`,
      };
    }
    return undefined;
  }
  if (home && !isTest) return { rule: 'standalone', message: `${name} is a package`, remedy: standalone[home] ?? '' };
  return undefined;
}

/**
 * @param {Record<string, string>} aliases
 * @param {typeof typescriptLayers} layers
 * @returns {Problem[]}
 */
function checkAliases(aliases, layers) {
  return Object.entries(aliases)
    .filter(([name, target]) => !(name.slice(1) in layers) || target !== `./dist/${name.slice(1)}/index.js`)
    .map(([name, target]) => ({
      path: 'package.json',
      line: 1,
      rule: 'alias',
      message: `imports has "${name}": "${target}"`,
      remedy: 'an alias is #layer and points to ./dist/LAYER/index.js',
    }));
}

/** @param {string} text @param {number} position */
export function lineAt(text, position) {
  return text.slice(0, position).split('\n').length;
}
