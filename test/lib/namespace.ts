// A network namespace of a test. It has no name in /run/netns: it belongs to a process that holds it and that ends with the test, so
// nothing has to be cleaned up, whatever happens.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { must, type Output, run } from './command.js';

/** As `ip netns exec` does: /sys shows the devices of the namespace it was mounted in. IPv6 off: no frame but a test's own. */
const HOLD = [
  'mount -t sysfs sysfs /sys',
  'for scope in all default; do echo 1 > /proc/sys/net/ipv6/conf/$scope/disable_ipv6; done',
  'ip link set lo up',
  'echo ready',
  'exec cat',
].join(' && ');

export class Namespace {
  readonly name: string;
  readonly #holder: ChildProcess;

  static async create(name: string): Promise<Namespace> {
    const args = ['--net', '--mount', '--propagation', 'private', 'sh', '-c', HOLD];
    const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'] });
    const [first] = await Promise.race([once(holder.stdout!, 'data'), once(holder, 'close')]);
    if (!`${first}`.startsWith('ready'))
      throw new Error(`no network namespace for ${name}: unshare ended with ${first}`);
    return new Namespace(name, holder);
  }

  private constructor(name: string, holder: ChildProcess) {
    this.name = name;
    this.#holder = holder;
  }

  /** For `ip link set IFACE netns PID`. */
  get pid(): number {
    return this.#holder.pid ?? 0;
  }

  get path(): string {
    return `/proc/${this.pid}/ns/net`;
  }

  /** A command line that runs in here. */
  inside(program: string, ...args: string[]): [program: string, args: string[]] {
    return ['nsenter', ['--net', '--mount', '--target', `${this.pid}`, '--', program, ...args]];
  }

  /** The same for a program that does not read its stdin, and would outlive a test that is killed. */
  insideUntilDeath(program: string, ...args: string[]): [program: string, args: string[]] {
    return this.inside('setpriv', '--pdeathsig', 'KILL', program, ...args);
  }

  /** Runs a program in here; it must succeed. Words are separated by blanks. */
  must(line: string, timeout?: number): Promise<string> {
    return must(...this.inside(...words(line)), timeout);
  }

  /** Runs a program in here, however it ends. */
  run(line: string, timeout?: number): Promise<Output> {
    return run(...this.inside(...words(line)), timeout);
  }

  /** Runs `ip` in here, once for each line; each must succeed. */
  async ip(...lines: string[]): Promise<void> {
    for (const line of lines) await this.must(`ip ${line}`);
  }

  /** Ends the holder. The namespace is gone when the last process inside is. */
  async close(): Promise<void> {
    if (this.#holder.exitCode !== null || this.#holder.signalCode !== null) return;
    const closed = once(this.#holder, 'close');
    this.#holder.stdin?.end();
    await closed;
  }
}

function words(line: string): [program: string, ...args: string[]] {
  const [program = '', ...args] = line.split(' ').filter((word) => word !== '');
  return [program, ...args];
}
