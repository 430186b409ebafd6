// Programs of the system: run to their end, or found missing.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface Output {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, at most `timeout` milliseconds. Rejects only if it does not start or does not end. */
export function run(program: string, args: readonly string[], timeout = 30_000): Promise<Output> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout, killSignal: 'SIGKILL' });
    let stdout = '';
    let stderr = '';
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.on('error', reject);
    child.on('close', (status, signal) => {
      if (status !== null) resolve({ status, stdout, stderr });
      else reject(new Error(`${[program, ...args].join(' ')}: ended by ${signal}; it said: ${stdout}${stderr}`));
    });
  });
}

/** Runs a program that must succeed; its standard output. */
export async function must(program: string, args: readonly string[], timeout?: number): Promise<string> {
  const { status, stdout, stderr } = await run(program, args, timeout);
  if (status !== 0)
    throw new Error(`${[program, ...args].join(' ')}: exit code ${status}; it said: ${stdout}${stderr}`);
  return stdout;
}

/** Waits up to 10 s until a program has said something on one of its outputs, which is read to its end afterwards too. */
export function said(child: ChildProcess, output: Readable, text: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let all = '';
    const fail = (how: string): void =>
      reject(new Error(`${child.spawnargs.join(' ')}: ${how} before it said "${text}": ${all}`));
    const timer = setTimeout(() => fail('10 s passed'), 10_000);
    output.setEncoding('utf8').on('data', (part: string) => {
      all += part;
      if (!all.includes(text)) return;
      clearTimeout(timer);
      resolve();
    });
    child.on('exit', () => {
      clearTimeout(timer);
      fail('it ended');
    });
  });
}

/** Why tests that need root and these programs cannot run here; undefined if they can. */
export function obstacle(...programs: string[]): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root: network namespaces, taps and AF_XDP';
  const missing = programs.filter((program) => spawnSync('which', [program]).status !== 0);
  return missing.length > 0 ? `needs ${missing.join(', ')}: npm run setup` : undefined;
}
