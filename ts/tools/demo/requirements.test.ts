import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkRequirements } from './requirements.js';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'splitnve-requirements-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

it('wants root, and says how to become it', () => {
  expect(() => checkRequirements(1000)).toThrow(
    expect.objectContaining({
      code: 'NVE-SYS-002',
      message: expect.stringContaining('needs root'),
      hint: 'Run it with sudo.',
    }),
  );
});

it('names every program that is missing, with its package', () => {
  for (const name of ['ip', 'ping', 'bash', 'mount', 'unshare', 'setpriv', 'tcpdump']) {
    writeFileSync(join(folder, name), '');
    chmodSync(join(folder, name), 0o755);
  }
  // There, but no program.
  writeFileSync(join(folder, 'nsenter'), '');
  chmodSync(join(folder, 'nsenter'), 0o644);
  expect(() => checkRequirements(0, `/nowhere:${folder}`)).toThrow(
    expect.objectContaining({
      code: 'NVE-SYS-010',
      message: expect.stringContaining('iperf3, ethtool, nsenter'),
      hint: expect.stringContaining('apt-get install iperf3 ethtool util-linux'),
    }),
  );
});
