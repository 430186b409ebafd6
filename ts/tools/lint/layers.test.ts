import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { rustCrates, typescriptLayers } from './rules.mjs';
import { checkRust } from './rust.mjs';
import { checkTypeScript } from './typescript.mjs';

const aliases = Object.fromEntries(
  ['model', 'wire', 'protocol', 'dataplane', 'roles'].map((layer) => [`#${layer}`, `./dist/${layer}/index.js`]),
);
const problemsOf = (path: string, text: string) => checkTypeScript([{ path, text }], { aliases });

describe('TypeScript layers', () => {
  it('lets a layer import what lies below it, packages and its own files', () => {
    const text = "import { Vni } from '#model';\nimport { z } from 'zod';\nexport * from './frame.js';\n";
    expect(problemsOf('ts/wire/nnp/index.ts', text)).toEqual([]);
  });

  it('refuses an import against the direction, in every form an import has', () => {
    const forms = [
      "import { x } from '#roles';",
      "import type { X } from '#roles';",
      "export * from '#roles';",
      "const x = await import('#roles');",
      "type X = import('#roles').X;",
    ];
    for (const form of forms) {
      expect(problemsOf('ts/wire/a.ts', `\n\n${form}\n`), form).toMatchObject([
        { path: 'ts/wire/a.ts', line: 3, rule: 'direction', message: 'wire must not import #roles' },
      ]);
    }
  });

  it('keeps the direction in tests too', () => {
    expect(problemsOf('ts/model/a.test.ts', "import { x } from '#wire';")).toMatchObject([{ rule: 'direction' }]);
  });

  it('ignores comments and strings', () => {
    expect(problemsOf('ts/model/a.ts', "// import '#roles';\nconst s = \"import x from '#roles'\";")).toEqual([]);
  });

  it('refuses node modules in protocol, with and without the prefix, but not in its tests', () => {
    expect(problemsOf('ts/protocol/a.ts', "import 'node:net';\nimport fs from 'fs/promises';")).toMatchObject([
      { line: 1, rule: 'builtin', message: 'protocol must not import node:net' },
      { line: 2, rule: 'builtin', message: 'protocol must not import fs/promises' },
    ]);
    expect(problemsOf('ts/protocol/a.test.ts', "import 'node:fs';")).toEqual([]);
  });

  it('lets a codec use Buffer and nothing else of node', () => {
    expect(problemsOf('ts/wire/a.ts', "import { Buffer } from 'node:buffer';")).toEqual([]);
    expect(problemsOf('ts/wire/a.ts', "import 'node:dgram';")).toMatchObject([{ rule: 'builtin' }]);
  });

  it('wants the alias between folders, and only the layer itself behind it', () => {
    expect(problemsOf('ts/wire/nnp/a.ts', "import '../../model/vni.js';")).toMatchObject([
      { rule: 'alias', message: 'wire reaches into model by the path ../../model/vni.js' },
    ]);
    expect(problemsOf('ts/wire/a.ts', "import '#model/vni';")).toMatchObject([{ rule: 'alias' }]);
    expect(problemsOf('ts/wire/a.ts', "import '#wire';")).toMatchObject([{ rule: 'alias' }]);
  });

  it('names the line to add when an alias is missing from package.json', () => {
    expect(problemsOf('ts/cli/a.ts', "import '#tools';")).toMatchObject([
      { rule: 'alias', remedy: 'add "#tools": "./dist/tools/index.js" to the imports of package.json' },
    ]);
  });

  it('refuses an alias that points elsewhere, and a folder that is no layer', () => {
    expect(checkTypeScript([], { aliases: { '#model': './dist/wire/index.js' } })).toMatchObject([{ rule: 'alias' }]);
    expect(problemsOf('ts/utils/a.ts', '')).toMatchObject([
      { rule: 'layer', message: 'ts/utils is no layer of the design' },
    ]);
  });

  it('keeps setup free of packages', () => {
    expect(problemsOf('ts/tools/setup/a.mjs', "import ts from 'typescript';")).toMatchObject([{ rule: 'standalone' }]);
    expect(problemsOf('ts/tools/setup/a.mjs', "import '#model';")).toMatchObject([{ rule: 'direction' }]);
    expect(problemsOf('ts/tools/setup/a.mjs', "import 'node:fs';\nimport './b.mjs';")).toEqual([]);
  });
});

describe('Rust crates', () => {
  const workspace = '[workspace.dependencies]\ntypes = { path = "native/types", package = "splitnve-types" }\n';
  const root = { path: 'Cargo.toml', text: `${workspace}\n[dependencies]\n` };
  const bindingLib = { path: 'native/binding/src/lib.rs', text: '#![deny(unsafe_code)]\n' };
  const crate = (name: string, manifest: string, lib: string) =>
    checkRust([
      root,
      bindingLib,
      { path: `native/${name}/Cargo.toml`, text: manifest },
      { path: `native/${name}/src/lib.rs`, text: lib },
    ]);
  const forbid = '#![forbid(unsafe_code)]\n';

  it('lets a crate depend on what lies below it', () => {
    expect(crate('wire', '[dependencies]\ntypes.workspace = true\nzerocopy = "0.8"\n', forbid)).toEqual([]);
  });

  it('refuses a crate above, however the dependency is written', () => {
    const forms = [
      '[dependencies]\nx.workspace = true\nengine = { path = "../engine" }\n',
      '[dev-dependencies]\n\nengine = { path = "../engine" }\n',
      "[build-dependencies]\n# engine = 1\nengine = { path = '../engine' }\n",
      '[dependencies]\n\n[dependencies.engine]\npath = "../engine"\n',
      "[target.'cfg(unix)'.dependencies]\n\nother = { path = '../engine' }\n",
    ];
    for (const form of forms) {
      expect(crate('wire', form, forbid), form).toMatchObject([
        { path: 'native/wire/Cargo.toml', line: 3, message: 'wire must not depend on engine' },
      ]);
    }
  });

  it('reads the root package as the binding', () => {
    const text = `${workspace}\n[dependencies]\ntypes.workspace = true\n`;
    expect(checkRust([{ path: 'Cargo.toml', text }, bindingLib])).toMatchObject([
      { path: 'Cargo.toml', line: 5, message: 'binding must not depend on types' },
    ]);
  });

  it('keeps types free of everything but dev-dependencies', () => {
    expect(crate('types', '[dev-dependencies]\nproptest = "1"\n', forbid)).toEqual([]);
    expect(crate('types', '[dependencies]\nserde = "1"\n', forbid)).toMatchObject([
      { line: 2, message: 'types must not depend on anything, here serde' },
    ]);
  });

  it('wants unsafe forbidden, and knows where it may stand', () => {
    expect(crate('wire', '', '//! Headers.\n')).toMatchObject([
      { rule: 'unsafe', remedy: 'write #![forbid(unsafe_code)]' },
    ]);
    expect(crate('tables', '', '#![deny(unsafe_code)]\n#[allow(unsafe_code)]\nmod fdb;\n')).toMatchObject([
      { rule: 'unsafe', line: 2, message: 'this file allows unsafe code' },
    ]);
    expect(crate('dpdk', '', '')).toEqual([]);
  });

  it('refuses a crate that the design does not know', () => {
    expect(crate('helpers', '', forbid)).toMatchObject([{ rule: 'crate' }]);
  });
});

describe('docs/architecture.md', () => {
  const page = readFileSync(new URL('../../../docs/architecture.md', import.meta.url), 'utf8');
  const rows = page
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').map((cell) => cell.trim()));
  const allowed = (name: string) => {
    const row = rows.find((cells) => cells[1] === `\`${name}\``);
    return [...(row?.[2] ?? '').matchAll(/`([^`]+)`/g)].map((match) => match[1]).sort();
  };

  it.each(Object.entries(typescriptLayers))('shows the same imports for ts/%s', (layer, { imports }) => {
    expect(allowed(`${layer}/`)).toEqual([...imports].sort());
  });

  it.each(Object.entries(rustCrates))('shows the same dependencies for native/%s', (name, { crates }) => {
    expect(allowed(name)).toEqual([...crates].sort());
  });
});
