import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type NveError, nveError } from '#model';
import { readConfig, runRole } from './process.js';
import { FakeEngine } from './testing/fake-engine.js';
import { silentLog } from './testing/silent.js';

describe('runRole', () => {
  const order: string[] = [];
  let engine: FakeEngine;
  beforeEach(() => {
    order.length = 0;
    engine = new FakeEngine();
    engine.close = async () => void order.push('engine closed');
  });
  const role = { close: async () => void order.push('role closed') };
  const listeners = () => ['SIGINT', 'SIGTERM', 'exit'].map((event) => process.listenerCount(event));

  it.each(['SIGINT', 'SIGTERM'] as const)('closes role and engine, in this order, on %s', async (signal) => {
    const { log, lines } = silentLog();
    const before = listeners();
    const running = runRole(
      log,
      async () => {
        setTimeout(() => process.emit(signal, signal), 10);
        return role;
      },
      engine,
    );
    await expect(running).resolves.toBeUndefined();
    expect(order).toEqual(['role closed', 'engine closed']);
    expect(lines.at(-1)).toMatchObject({ msg: 'stopping', cause: signal });
    expect(listeners()).toEqual(before);
  });

  it('has a role that can read its files again do so on SIGHUP, as often as it comes', async () => {
    const reload = vi.fn();
    const before = process.listenerCount('SIGHUP');
    const start = async () => {
      setTimeout(() => {
        for (const signal of ['SIGHUP', 'SIGHUP', 'SIGTERM'] as const) process.emit(signal, signal);
      }, 10);
      return { ...role, reload };
    };
    await runRole(silentLog().log, start, engine);
    expect(reload).toHaveBeenCalledTimes(2);
    expect(order).toEqual(['role closed', 'engine closed']);
    expect(process.listenerCount('SIGHUP')).toBe(before);
  });

  it('leaves SIGHUP alone for a role that has nothing to read again', async () => {
    const before = process.listenerCount('SIGHUP');
    let during = -1;
    const start = async () => {
      setTimeout(() => {
        during = process.listenerCount('SIGHUP');
        process.emit('SIGTERM', 'SIGTERM');
      }, 10);
      return role;
    };
    await runRole(silentLog().log, start, engine);
    expect(during).toBe(before);
  });

  it('throws what made the role fail, after closing', async () => {
    let fail: (error: NveError) => void = () => undefined;
    const running = runRole(
      silentLog().log,
      async (onFailure) => {
        fail = onFailure;
        return role;
      },
      engine,
    );
    setTimeout(() => fail(nveError('NVE-ENG-013', {})), 10);
    await expect(running).rejects.toMatchObject({ code: 'NVE-ENG-013' });
    expect(order).toEqual(['role closed', 'engine closed']);
  });

  it('throws why the role did not start, and closes the engine', async () => {
    const start = () => Promise.reject(nveError('NVE-SYS-009', { socket: '/x' }));
    await expect(runRole(silentLog().log, start, engine)).rejects.toMatchObject({ code: 'NVE-SYS-009' });
    expect(order).toEqual(['engine closed']);
  });

  it('stops the engine when the process exits in any other way', async () => {
    const before = process.listeners('exit');
    const running = runRole(silentLog().log, () => new Promise(() => undefined), engine);
    const [added] = process.listeners('exit').filter((listener) => !before.includes(listener));
    added?.(0);
    expect(engine.closed).toBe(true);
    process.emit('SIGTERM', 'SIGTERM');
    await running;
  });
});

describe('readConfig', () => {
  let directory = '';
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'splitnve-config-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it('says that a file is not there, or is no file', () => {
    expect(() => readConfig('nva', join(directory, 'none.toml'))).toThrow(
      expect.objectContaining({ code: 'NVE-CFG-001', message: expect.stringContaining('ENOENT') }),
    );
    expect(() => readConfig('nva', directory)).toThrow(
      expect.objectContaining({ code: 'NVE-CFG-001', message: expect.stringContaining('EISDIR') }),
    );
  });

  it('reads a good one, and refuses a bad one', () => {
    const file = join(directory, 'nva.toml');
    writeFileSync(file, 'node.name = "nva"\nlisten.endpoints = ["unix:/run/x.sock"]\n');
    expect(readConfig('nva', file)).toMatchObject({ node: { name: 'nva' }, vn: [] });
    writeFileSync(file, 'node.name = 1\n');
    expect(() => readConfig('nva', file)).toThrow(expect.objectContaining({ code: 'NVE-CFG-002' }));
  });
});
