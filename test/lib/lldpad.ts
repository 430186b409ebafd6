// The real lldpad (Debian package) as EVB station on a veth, driven by its own tools. Its text is parsed as little as
// possible.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Namespace } from './namespace.js';
import { Program } from './program.js';

export interface VsiCommand {
  readonly mode: 'preassoc' | 'preassoc-rr' | 'assoc' | 'deassoc';
  readonly uuid: string;
  /** In lldpad's syntax: `vid`, `vid-mac`, `vid--group`, `vid-mac-group`. */
  readonly filters: readonly string[];
}

export class Lldpad {
  readonly namespace: Namespace;
  readonly iface: string;
  readonly program: Program;
  readonly #config: string;

  /** IPC namespace of its own: two lldpads would share memory. */
  constructor(namespace: Namespace, iface: string, folder: string) {
    this.namespace = namespace;
    this.iface = iface;
    this.#config = join(folder, `lldpad-${iface}.conf`);
    this.program = new Program(namespace, 'unshare', '--ipc', 'lldpad', '-p', '-V7', '-f', this.#config);
  }

  /** Runs it anew, with EVB and VDP on its interface; the exponents are what EVB offers. */
  async start(exponents: Record<string, number> = {}): Promise<void> {
    rmSync(this.#config, { force: true });
    await this.program.start();
    await this.#patiently(`lldptool -L -i ${this.iface} -g ncb adminStatus=rxtx`);
    await this.#patiently(`lldptool -T -i ${this.iface} -g ncb -V evb enableTx=yes`);
    await this.tool('lldptool', '-T', '-V evb -c evbgpid=yes');
    for (const [key, value] of Object.entries(exponents))
      await this.tool('lldptool', '-T', `-V evb -c ${key}=${value}`);
  }

  async tool(tool: 'lldptool' | 'vdptool', action: string, rest: string): Promise<string> {
    const ncb = tool === 'lldptool' ? '-g ncb' : '';
    const { stdout, stderr } = await this.namespace.run(`${tool} ${action} -i ${this.iface} ${ncb} ${rest}`);
    return stdout + stderr;
  }

  /** What lldpad has heard from its neighbour. */
  neighbour(): Promise<string> {
    return this.tool('lldptool', '-t', '-n');
  }

  /** Gives a command and waits for its event. */
  command({ mode, uuid, filters }: VsiCommand): Promise<string> {
    const said = filters.map((filter) => `-c filter=${filter}`).join(' ');
    const vsi = `-c mgrid2=nvemgr -c typeid=5 -c typeidver=1 -c uuid=${uuid} -c hints=none`;
    return this.tool('vdptool', '-T -W', `-V ${mode} -c mode=${mode} ${vsi} ${said}`);
  }

  /** What lldpad holds of a VSI, by its own account. */
  held(uuid: string, mode: VsiCommand['mode'] = 'assoc'): Promise<string> {
    return this.tool('vdptool', '-t', `-V ${mode} -c mode=${mode} -c uuid=${uuid}`);
  }

  /** The tools say "failed" until the daemon has seen its interface. */
  async #patiently(line: string): Promise<void> {
    for (let tries = 0; ; tries++) {
      const { status, stdout, stderr } = await this.namespace.run(line);
      if (status === 0) return;
      if (tries === 50) throw new Error(`${line}: ${stdout}${stderr}; lldpad: ${this.program.output.slice(-2000)}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  close(): Promise<void> {
    return this.program.close();
  }
}
