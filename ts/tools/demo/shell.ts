// One command after the other, each printed before it runs, each with a deadline.

import { spawn } from 'node:child_process';
import { nveError } from '#model';
import { BIN, ROOT } from './paths.js';
import * as screen from './screen.js';

export interface Output {
  /** The exit code; 124, as timeout(1) has it, for a command that was ended by its deadline. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly deadlineMs?: number;
  /** Asked again: it was printed the first time. */
  readonly quiet?: boolean;
}

const DEADLINE_MS = 10_000;
const OUTPUT_MAX = 4 << 20;

/** The environment of every command: `splitnve` is in the PATH, and what is parsed is neither coloured nor translated. */
export function environment(): NodeJS.ProcessEnv {
  return { ...process.env, PATH: `${BIN}:${process.env['PATH']}`, LC_ALL: 'C', NO_COLOR: '1' };
}

/** Runs a line of shell and gives whatever comes of it. */
export function run(line: string, { deadlineMs = DEADLINE_MS, quiet = false }: RunOptions = {}): Promise<Output> {
  if (!quiet) screen.command(line);
  return new Promise((resolve, reject) => {
    // A session of its own: Ctrl-C is for the demo, and the deadline ends all that the line has started.
    const child = spawn('bash', ['-c', line], {
      cwd: ROOT,
      env: environment(),
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr'] as const) {
      child[name].setEncoding('utf8').on('data', (chunk: string) => {
        if (output[name].length < OUTPUT_MAX) output[name] += chunk;
      });
    }
    let isLate = false;
    const timer = setTimeout(() => {
      isLate = true;
      killGroup(child.pid);
    }, deadlineMs);
    child.once('error', reject);
    child.once('close', (code) => {
      clearTimeout(timer);
      resolve({ ...output, code: isLate ? 124 : (code ?? 1) });
    });
  });
}

/** Runs a line that must succeed, and gives what it printed. */
export async function must(line: string, options?: RunOptions): Promise<string> {
  const { code, stdout, stderr } = await run(line, options);
  if (code === 0) return stdout;
  const reason =
    code === 124 ? 'no end within its deadline' : complaint(stderr) || lastLine(stdout) || `exit code ${code}`;
  throw nveError('NVE-SYS-004', { command: line, reason });
}

/** What a program says is wrong: our own after "error:", a JavaScript error by its name, others at the end. */
export function complaint(stderr: string): string {
  return /^(?:error: |(?=\w*Error\b))(.+)$/m.exec(stderr)?.[1] ?? lastLine(stderr);
}

export function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

export function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All of it has ended.
  }
}
