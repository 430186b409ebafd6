import { readFileSync } from 'node:fs';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { nodeVersionProblem } from './node-version.mjs';
import { atLeast, osWarning } from './platform.mjs';

describe('Node', () => {
  it('accepts 20.19 and newer, but 21', () => {
    for (const version of ['20.19.0', '20.20.2', '22.1.0', '100.0.0']) {
      expect(nodeVersionProblem(version), version).toBeUndefined();
    }
  });

  it('refuses others by version, with the remedy', () => {
    for (const version of ['21.7.3', '20.9.0', '18.19.0', '12.22.12', '9.0.0', '2.0.0']) {
      expect(nodeVersionProblem(version), version).toMatch(
        new RegExp(`this is Node ${version} .* needs Node 20.19 or newer, and not 21\\n {2}fix: install`),
      );
    }
  });

  it('can be told so: what is loaded before the check has no newer syntax than ES2019', () => {
    for (const file of ['main.mjs', 'node-version.mjs']) {
      const source = readFileSync(new URL(file, import.meta.url), 'utf8');
      const { outputText } = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ES2019, module: ts.ModuleKind.ES2020, removeComments: true },
      });
      const asWritten = ts.transpileModule(source, {
        compilerOptions: { target: ts.ScriptTarget.ESNext, module: ts.ModuleKind.ESNext, removeComments: true },
      }).outputText;
      expect(outputText, file).toBe(asWritten);
      expect(source, `${file}: the node: prefix came with Node 12.20`).not.toMatch(/from 'node:/);
    }
  });
});

it('compares versions by their numbers', () => {
  expect(atLeast('1.88.0', '1.88.0')).toBe(true);
  expect(atLeast('1.100.0', '1.88.0')).toBe(true);
  expect(atLeast('1.87.9', '1.88.0')).toBe(false);
  expect(atLeast('22.11.0-rc4', '22.11.0')).toBe(true);
  expect(atLeast('1.97.0-nightly', '1.88.0')).toBe(true);
  expect(atLeast('24.04', '24.04')).toBe(true);
  expect(atLeast('9', '12')).toBe(false);
});

it('knows the systems it is tried on', () => {
  const os = (id: string, version: string) =>
    osWarning(`ID=${id}\nVERSION_ID="${version}"\nPRETTY_NAME="${id} ${version}"\n`);
  expect(os('debian', '12')).toBeUndefined();
  expect(os('debian', '13')).toBeUndefined();
  expect(osWarning('ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"\n')).toBeUndefined();
  expect(os('ubuntu', '24.04')).toBeUndefined();
  expect(os('ubuntu', '22.04')).toContain('this is ubuntu 22.04');
  expect(os('debian', '11')).toContain('this is debian 11');
  expect(os('fedora', '41')).toContain('Debian 12 or newer');
  expect(osWarning(undefined)).toContain('an unknown system');
});
