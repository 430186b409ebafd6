// `ping`, as the checks use it.

import { type Output, run } from '../shell.js';

export interface Ping {
  readonly sent: number;
  readonly received: number;
  /** ping compares each answer's content with what it sent. */
  readonly isAltered: boolean;
}

/** In the tenant's namespace. `options` come before the address. */
export async function ping(place: string, address: string, options: string, quiet = false): Promise<Ping> {
  return parse(await run(`ip netns exec ${place} ping -q ${options} ${address}`, { quiet, deadlineMs: 15_000 }));
}

export function parse({ stdout }: Output): Ping {
  const [, sent, received] = /(\d+) packets transmitted, (\d+) received/.exec(stdout) ?? [];
  return { sent: Number(sent ?? 0), received: Number(received ?? 0), isAltered: stdout.includes('wrong data byte') };
}

export function isWhole({ sent, received, isAltered }: Ping): boolean {
  return sent > 0 && received === sent && !isAltered;
}

export function text({ sent, received, isAltered }: Ping): string {
  return `${received} of ${sent} answers${isAltered ? ', some of them altered' : ''}`;
}
