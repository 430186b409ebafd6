import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { RpcServer } from '#hypervisor';
import { run } from './program.js';

let directory = '';
let socket = '';
let server: RpcServer | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-watch-'));
  socket = join(directory, 'x.sock');
});
afterEach(async () => {
  await server?.close();
  rmSync(directory, { recursive: true });
});

let packets = 0;
async function serve(): Promise<void> {
  packets = 0;
  const drops = () => {
    packets += 10;
    return { rows: [{ port: 'access0', reason: 'untagged', packets }], cursor: null };
  };
  server = await RpcServer.listen({ socket, role: 'agent', name: 'nve1', handlers: { 'show.drops': drops } });
}

/** Runs a command line until its output holds `looks` looks; gives what each of them wrote. */
async function watch(line: string, looks: number, height?: number): Promise<string[]> {
  const pieces: string[] = [];
  const stopped = new AbortController();
  const out = (text: string): void => {
    pieces.push(text);
    if (pieces.length === looks) stopped.abort();
  };
  const io = { out, octets: async () => undefined, err: () => undefined, stdin: async () => Buffer.alloc(0) };
  const code = await run([...line.split(' '), '--socket', socket], {
    ...io,
    height: () => height,
    stopped: stopped.signal,
  });
  expect(code).toBe(0);
  return pieces;
}

describe('--watch', () => {
  it('appends a table each time, with rates from the second on', async () => {
    await serve();
    const [first = '', second = ''] = await watch('show drops --watch 0.2', 2);
    expect(first).toMatch(
      /^\d{4}-.*Z {2}show drops, every 0\.2 s\nPORT +REASON +PACKETS +PACKETS\/S\naccess0 +untagged +10 +-\n\n$/,
    );
    const rate = Number(/untagged +20 +([\d.]+)\n/.exec(second)?.[1]);
    // Ten in at least 0.2 s, however busy the machine is.
    expect(rate).toBeGreaterThan(1);
    expect(rate).toBeLessThanOrEqual(50.5);
  });

  it('draws anew on a screen, and not more than fits', async () => {
    await serve();
    const [first = ''] = await watch('show drops --watch 0.1', 1, 3);
    expect(first.startsWith('\x1b[H\x1b[2J')).toBe(true);
    expect(first.split('\n')).toHaveLength(2);
    expect(first).toContain('… 2 more');
  });

  it('with --json writes a document a line', async () => {
    await serve();
    const lines = await watch('show drops --watch 0.1 --json', 2);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      [{ port: 'access0', reason: 'untagged', packets: 10 }],
      [{ port: 'access0', reason: 'untagged', packets: 20 }],
    ]);
    for (const line of lines) expect(line.indexOf('\n')).toBe(line.length - 1);
  });

  it('goes on when the agent comes back', async () => {
    await serve();
    const restart = setTimeout(async () => {
      await server?.close();
      await serve();
    }, 150);
    const pieces = await watch('show drops --watch 0.1 --json', 5);
    clearTimeout(restart);
    expect(pieces.at(-1)).toContain('access0');
  });

  it('says what is wrong when nobody is there at first', async () => {
    const err: string[] = [];
    const io = { out: () => undefined, octets: async () => undefined, stdin: async () => Buffer.alloc(0) };
    const line = ['show', 'vap', '--watch', '--socket', socket];
    expect(await run(line, { ...io, err: (text) => void err.push(text) })).toBe(69);
    expect(err.join('')).toContain('NVE-RPC-001');
    expect(await run(['show', 'vap', '--watch', '0'], { ...io, err: (text) => void err.push(text) })).toBe(2);
    expect(err.at(-1)).toContain('Expected seconds from 0.1 to 3600.');
  });
});
