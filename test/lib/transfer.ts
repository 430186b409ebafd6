// TCP with verified content between two namespaces, by transfer.mjs.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { must, said } from './command.js';
import type { Lab } from './lab.js';
import type { Namespace } from './namespace.js';

const TRANSFER = fileURLToPath(new URL('transfer.mjs', import.meta.url));

/** Runs the other end of transfers until the lab is closed. */
export async function serveTransfers(lab: Lab, space: Namespace, port: number): Promise<void> {
  const child = spawn(...space.inside(process.execPath, TRANSFER, 'serve', `${port}`, space.name), {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  lab.add({
    close: () => {
      child.stdin.end();
      return ended;
    },
  });
  await said(child, child.stdout, 'listening');
}

/** Each side sends `bytes` that only it sends; both must arrive as they were sent, and at the right one. */
export async function transfer(
  from: Namespace,
  to: Namespace,
  address: string,
  port: number,
  bytes = 400_000,
): Promise<void> {
  const words = ['fetch', `${port}`, `to ${to.name}`, address, `${bytes}`];
  const result = JSON.parse(await must(...from.inside(process.execPath, TRANSFER, ...words)));
  const { sent, got } = result;
  expect(result).toEqual({ peer: to.name, sent, peerGot: sent, got, peerSent: got });
  expect(sent).not.toBe(got);
}
