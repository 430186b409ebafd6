// A role of the program as its users run it: `splitnve ROLE -c FILE` out of dist/, asked by the command line.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ShowDropsRow, ShowFdbRow, TsiListRow } from '#hypervisor';
import { must } from './command.js';
import type { Namespace } from './namespace.js';
import { Program } from './program.js';

const CLI = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
/** What each role says when it can be used. */
const READY = { nva: '"ready"', agent: 'connected to the NVA', tnve: '"ready"' } as const;

/** The VID by which the VN of a TSI is told on its link. */
export function vidOf(row: TsiListRow | undefined): number | undefined {
  return row?.tag?.kind === 'c-tag' || row?.tag?.kind === 's-tag' ? row.tag.vid : undefined;
}

export type RoleName = keyof typeof READY;

export class Role {
  readonly namespace: Namespace;
  readonly program: Program;
  readonly socket: string;
  readonly #role: RoleName;

  /** `name` is its node's; file and socket are in the folder. The TOML begins with dotted keys only; `more` are further words of the command. */
  constructor(
    namespace: Namespace,
    role: RoleName,
    name: string,
    folder: string,
    toml: string,
    more: readonly string[] = [],
  ) {
    const file = join(folder, `${name}.toml`);
    this.namespace = namespace;
    this.#role = role;
    this.socket = join(folder, `${name}.sock`);
    const store = role !== 'tnve' ? `store.path = "${join(folder, `${name}.store`)}"\n` : '';
    writeFileSync(file, `node.name = "${name}"\nrpc.socket = "${this.socket}"\n${store}${toml}`);
    this.program = new Program(namespace, process.execPath, CLI, role, '-c', file, ...more);
  }

  start(): Promise<void> {
    return this.program.start(READY[this.#role]);
  }

  async restart(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    await this.program.stop(signal);
    await this.start();
  }

  /** A command line for this process; words are separated by blanks. */
  cli(line: string): Promise<string> {
    return must(process.execPath, [CLI, ...line.split(' '), '--socket', this.socket]);
  }

  async tsis(): Promise<TsiListRow[]> {
    return JSON.parse(await this.cli('tsi list --json')) as TsiListRow[];
  }

  async fdb(): Promise<ShowFdbRow[]> {
    return JSON.parse(await this.cli('show fdb --json')) as ShowFdbRow[];
  }

  async drops(): Promise<ShowDropsRow[]> {
    return JSON.parse(await this.cli('show drops --json')) as ShowDropsRow[];
  }

  /** Memory of its own in MiB, DPDK's included: what it takes for its ports does not grow with what it serves. */
  get memoryMb(): number {
    const kib = /RssAnon:\s+(\d+)/.exec(readFileSync(`/proc/${this.program.pid}/status`, 'utf8'))?.[1];
    return Math.round(Number(kib) / 1024);
  }

  close(): Promise<void> {
    return this.program.close();
  }
}
