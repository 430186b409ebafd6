// The real lldpad (Debian package) as EVB station on a veth, driven by its own tools. Its text is parsed as little as
// possible.
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import type { Namespace } from './namespace.js';
import { Program } from './program.js';

export interface VsiCommand {
  readonly mode: 'preassoc' | 'preassoc-rr' | 'assoc' | 'deassoc';
  readonly uuid: string;
  /** In lldpad's syntax: `vid`, `vid-mac`, `vid--group`, `vid-mac-group`. */
  readonly filters: readonly string[];
}

const PATIENCE = { timeout: 10_000, interval: 200 };

export class Lldpad {
  readonly namespace: Namespace;
  readonly iface: string;
  readonly program: Program;
  readonly #config: string;

  /** `name`: of its file in the folder. Its /dev/shm is its own: another lldpad's state there keeps it from starting. */
  constructor(namespace: Namespace, iface: string, folder: string, name = iface) {
    this.namespace = namespace;
    this.iface = iface;
    this.#config = join(folder, `lldpad-${name}.conf`);
    const run = `mount -t tmpfs shm /dev/shm && exec lldpad -p -V7 -f ${this.#config}`;
    this.program = new Program(namespace, 'unshare', '--mount', '--propagation', 'private', 'sh', '-c', run);
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

  /** Until the bridge repeats what the station says of itself, and VDP runs. */
  negotiated(): Promise<void> {
    return vi.waitFor(async () => {
      expect(await this.neighbour()).toContain('station:sgid');
      expect(await this.held('11111111-1111-1111-1111-111111111111')).not.toContain('inactive');
    }, PATIENCE);
  }

  /** The VIDs that it holds for a VSI, one for each filter; 0 as long as it has no answer. */
  async vids(uuid: string, mode?: VsiCommand['mode']): Promise<number[]> {
    return [...(await this.held(uuid, mode)).matchAll(/filter = (\d+)/g)].map(([, vid]) => Number(vid));
  }

  /**
   * Gives a command, waits until every filter has a VID, and gives these. lldpad itself refuses commands as long as it does not know
   * that the bridge takes GroupIDs.
   */
  async associate(command: VsiCommand): Promise<number[]> {
    const { uuid, mode, filters } = command;
    const event = await vi.waitFor(async () => {
      const said = await this.command(command);
      expect(said).not.toContain('FAILED');
      return said;
    }, PATIENCE);
    return vi.waitFor(async () => {
      const vids = await this.vids(uuid, mode);
      expect(
        vids.filter((vid) => vid > 1),
        event,
      ).toHaveLength(filters.length);
      return vids;
    }, PATIENCE);
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
