// ping, between tenants with a kernel's IP stack.
import { expect } from 'vitest';
import type { Namespace } from './namespace.js';

/** Pings; every echo must come back with its content, which ping checks. It waits as long for the last as between two. */
export async function ping(from: Namespace, to: string, ...options: string[]): Promise<void> {
  const said = await from.must(`ping -n -c 3 -i 0.2 -W 2 ${options.join(' ')} ${to}`);
  expect(said).toContain('3 packets transmitted, 3 received, 0% packet loss');
  expect(said).not.toMatch(/wrong data byte|DUP!|truncated/);
}

/** One echo request that nobody may answer. */
export async function noPing(from: Namespace, to: string): Promise<void> {
  const { stdout } = await from.run(`ping -n -c 1 -W 1 ${to}`);
  expect(stdout).toContain('100% packet loss');
}
