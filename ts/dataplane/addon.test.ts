import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadAddon, loadError } from './addon.js';

describe('loadAddon', () => {
  let directory = '';
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'splitnve-addon-'));
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  it('says that it is missing, and where', () => {
    expect(() => loadAddon(directory)).toThrow(
      expect.objectContaining({ code: 'NVE-SYS-006', message: expect.stringContaining(directory) }),
    );
    expect(() => loadAddon(join(directory, 'nowhere'))).toThrow(expect.objectContaining({ code: 'NVE-SYS-006' }));
  });

  it('says that it is for another architecture', () => {
    writeFileSync(join(directory, 'splitnve.linux-s390x-gnu.node'), '');
    expect(() => loadAddon(directory)).toThrow(
      expect.objectContaining({
        code: 'NVE-SYS-007',
        message: expect.stringContaining(`not for linux-${process.arch}`),
      }),
    );
  });

  it('says that the file is no addon', () => {
    writeFileSync(join(directory, `splitnve.linux-${process.arch}-gnu.node`), 'not an ELF file');
    expect(() => loadAddon(directory)).toThrow(expect.objectContaining({ code: 'NVE-SYS-007' }));
  });
});

describe('loadError', () => {
  it.each([
    ['librte_eal.so.23: cannot open shared object file: No such file or directory', 'NVE-SYS-008'],
    ["/lib/x86_64-linux-gnu/librte_ethdev.so.23: version `DPDK_24' not found (required by /x.node)", 'NVE-SYS-008'],
    ['/x.node: undefined symbol: rte_eth_dev_start, version DPDK_23', 'NVE-SYS-008'],
    ['/x.node: invalid ELF header', 'NVE-SYS-007'],
    ['/x.node: wrong ELF class: ELFCLASS32', 'NVE-SYS-007'],
    ['/x.node: undefined symbol: napi_new_thing', 'NVE-SYS-007'],
  ])('%s', (message, code) => {
    const error = loadError('/x.node', new Error(`${message}\nRequire stack:\n- /here`));
    expect(error).toMatchObject({ code, context: { reason: message } });
  });
});
