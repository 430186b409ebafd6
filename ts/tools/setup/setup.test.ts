import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { debianPackages } from './packages.mjs';
import { setup } from './setup.mjs';
import type { Captured, System } from './system.mjs';
import { SetupError } from './system.mjs';

/** A machine that has what `installed` says; what apt-get and npm do to it is as far as setup can see. */
class Machine implements System {
  isRoot = true;
  hasSudo = true;
  hasDpkg = true;
  rust = 'rustc 1.88.0 (6b00bc388 2025-06-23)';
  cargo = 'cargo 1.88.0 (873a06493 2025-05-10)';
  dpdk: string | undefined = '22.11.11';
  installed = new Set(debianPackages.map(({ name }) => name));
  /** Packages that no source has. */
  unknown = new Set<string>();
  lists = ['lock', 'archive_dists_bookworm_main_binary-amd64_Packages'];
  /** Exit codes of the coming `apt-get install` runs; 0 when empty. */
  installStatus: number[] = [];
  npmStatus = 0;
  files = new Map([
    ['/etc/os-release', 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\nVERSION_ID="12"\n'],
    ['package-lock.json', '{}'],
  ]);
  nodeModules = ['zod'];
  said: string[] = [];
  ran: string[] = [];

  constructor() {
    const lock = createHash('sha256').update('{}').digest('hex');
    this.files.set('node_modules/.splitnve-lock', `${lock} node ABI ${process.versions.modules} ${process.arch}\n`);
  }

  say = (text: string) => void this.said.push(text);
  read = (file: string) => this.files.get(file);
  write = (file: string, text: string) => void this.files.set(file, text);
  list = (folder: string) => (folder === 'node_modules' ? this.nodeModules : this.lists);

  capture = (command: string, args: string[], input?: string): Captured | undefined => {
    const answer = (stdout: string, status = 0): Captured => ({ status, stdout, stderr: '' });
    if (input !== undefined) this.ran.push(`${[command, ...args].join(' ')} < ${input.trim()}`);
    if (command === 'rustc') return this.rust ? answer(this.rust) : undefined;
    if (command === 'cargo') return answer(this.cargo);
    if (command === 'sudo') return this.hasSudo ? answer('') : undefined;
    if (command === 'dpkg-query') {
      if (!this.hasDpkg) return undefined;
      return answer(
        args.map((name) => `${name} ${this.installed.has(name) ? 'installed' : 'config-files'}\n`).join(''),
        1,
      );
    }
    if (command === 'pkg-config') return this.dpdk ? answer(`${this.dpdk}\n`) : answer('', 1);
    if (command === 'apt-cache') return answer(`  Candidate: ${this.unknown.has(args[1]!) ? '(none)' : '1.0'}\n`);
    return answer('');
  };

  run = async (command: string, args: string[]): Promise<number> => {
    const line = [command, ...args].join(' ');
    this.ran.push(line);
    if (command === 'npm') {
      if (this.npmStatus === 0) this.nodeModules = ['zod'];
      return this.npmStatus;
    }
    if (!line.includes('apt-get') || line.endsWith(' update')) return 0;
    const names = args.slice(args.indexOf('--no-install-recommends') + 1);
    const status = names.some((name) => this.unknown.has(name)) ? 100 : (this.installStatus.shift() ?? 0);
    if (status !== 0) return status;
    for (const name of names) this.installed.add(name);
    if (names.includes('libdpdk-dev')) this.dpdk ??= '22.11.11';
    return 0;
  };
}

const machineWithout = (...names: string[]) => {
  const machine = new Machine();
  for (const name of names) machine.installed.delete(name);
  if (names.includes('libdpdk-dev')) machine.dpdk = undefined;
  return machine;
};
const run = (machine: Machine, options: Partial<Parameters<typeof setup>[1]> = {}) =>
  setup(machine, { sets: ['run'], install: true, ...options });
const failureOf = async (promise: Promise<void>): Promise<SetupError> => {
  const error = await promise.then(
    () => undefined,
    (caught: unknown) => caught,
  );
  if (!(error instanceof SetupError)) throw new Error('setup did not refuse', { cause: error });
  return error;
};
const aptGet = 'env DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0';

describe('setup', () => {
  it('says and does nothing when everything is there', async () => {
    const machine = new Machine();
    await run(machine, { sets: ['run', 'test', 'bench'] });
    expect([machine.said, machine.ran]).toEqual([[], []]);
  });

  it('installs what is missing, and only of the sets asked for', async () => {
    const machine = machineWithout('libdpdk-dev', 'iperf3', 'tshark');
    await run(machine);
    expect(machine.ran).toEqual([`${aptGet} install --yes --no-install-recommends libdpdk-dev iperf3`]);
    expect(machine.said[0]).toBe('setup: Debian packages to install:');
    expect(machine.said).toHaveLength(3);
    for (const line of machine.said.slice(1)) expect(line).toMatch(/^ {2}\S+ +\S+ .*/);
  });

  it('answers the question of wireshark before it is asked', async () => {
    const machine = machineWithout('tshark');
    await run(machine, { sets: ['test'] });
    expect(machine.ran[0]).toBe(
      'debconf-set-selections < wireshark-common wireshark-common/install-setuid boolean false',
    );
  });

  it('asks sudo when it is not root', async () => {
    const machine = machineWithout('iperf3');
    machine.isRoot = false;
    await run(machine);
    expect(machine.ran).toEqual([`sudo ${aptGet} install --yes --no-install-recommends iperf3`]);
  });

  it('fetches the package lists only when there are none, or when they are too old to install from', async () => {
    const bare = machineWithout('iperf3');
    bare.lists = ['lock', 'partial'];
    await run(bare);
    expect(bare.ran.map((line) => line.replace(aptGet, ''))).toEqual([
      ' update',
      ' install --yes --no-install-recommends iperf3',
    ]);
    const old = machineWithout('iperf3');
    old.installStatus = [100];
    await run(old);
    expect(old.ran.map((line) => line.replace(aptGet, '').split(' ')[1])).toEqual(['install', 'update', 'install']);
  });

  it('names the package that no source has, and the way out', async () => {
    const machine = machineWithout('iperf3', 'ethtool');
    machine.unknown.add('iperf3');
    const error = await failureOf(run(machine));
    expect(error.message).toContain('iperf3 (no configured package source has it)');
    expect(error.remedy).toContain('apt-get install ethtool iperf3');
  });

  it('names the packages when there is neither root nor sudo', async () => {
    const machine = machineWithout('iperf3');
    machine.isRoot = false;
    machine.hasSudo = false;
    const error = await failureOf(run(machine));
    expect(error.message).toContain('needs root or sudo: iperf3');
    expect(machine.ran).toEqual([]);
  });

  it('with --no-install lists everything and touches nothing', async () => {
    const machine = machineWithout('libdpdk-dev', 'iperf3');
    machine.nodeModules = [];
    const error = await failureOf(run(machine, { install: false }));
    expect(error.remedy).toBe('run without --no-install');
    expect(machine.said.join('\n')).toMatch(
      /would be installed:\n {2}libdpdk-dev .*\n {2}iperf3 .*\n.*npm install, because node_modules is missing/,
    );
    expect(machine.ran).toEqual([]);
  });

  it('with --no-install goes on when nothing is missing', async () => {
    await run(new Machine(), { install: false });
  });

  it('takes a DPDK of the user’s own for libdpdk-dev, if it is new enough', async () => {
    const machine = machineWithout('libdpdk-dev');
    machine.dpdk = '24.11.1';
    await run(machine);
    expect(machine.ran).toEqual([]);
    machine.dpdk = '21.11.2';
    const error = await failureOf(run(machine));
    expect(error.message).toContain('DPDK 21.11.2 is too old, splitnve needs 22.11');
  });

  it('says so when pkg-config finds no DPDK though the package is there', async () => {
    const machine = new Machine();
    machine.dpdk = undefined;
    expect((await failureOf(run(machine))).remedy).toContain('PKG_CONFIG_PATH');
  });

  it('refuses a Rust that is missing, broken or too old, by name and version', async () => {
    const missing = new Machine();
    missing.rust = '';
    expect((await failureOf(run(missing))).message).toContain('rustc is not there');
    const old = new Machine();
    old.rust = 'rustc 1.63.0 (4b91a6ea7 2022-08-08)';
    expect((await failureOf(run(old))).message).toBe('this is rustc 1.63.0, splitnve needs Rust 1.88.0 or newer');
    const mixed = new Machine();
    mixed.cargo = 'cargo 1.87.0';
    expect((await failureOf(run(mixed))).message).toContain('this is cargo 1.87.0');
  });

  it('warns of a system it is not tried on, and goes on', async () => {
    const machine = new Machine();
    machine.files.set(
      '/etc/os-release',
      'NAME="Ubuntu"\nID=ubuntu\nVERSION_ID="22.04"\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    );
    await run(machine);
    expect(machine.said).toEqual([expect.stringContaining('warning: this is Ubuntu 22.04.5 LTS')]);
    const other = new Machine();
    other.files.delete('/etc/os-release');
    other.hasDpkg = false;
    await run(other);
    expect(other.said).toHaveLength(2);
  });

  it('runs npm install when node_modules is missing or of another lock file, and once', async () => {
    const machine = new Machine();
    machine.nodeModules = [];
    await run(machine);
    expect(machine.ran).toEqual([expect.stringMatching(/^npm install --no-save /)]);
    expect(machine.said).toEqual(['setup: npm packages: npm install, because node_modules is missing']);
    machine.files.set('package-lock.json', '{"changed": true}');
    await run(machine);
    await run(machine);
    expect(machine.ran).toHaveLength(2);
    machine.files.delete('node_modules/.splitnve-lock');
    machine.npmStatus = 1;
    expect((await failureOf(run(machine))).message).toBe('npm install failed with exit code 1');
    expect(machine.files.has('node_modules/.splitnve-lock')).toBe(false);
  });
});

describe('package-lock.json', () => {
  it('is of this package.json, name by name', () => {
    const json = (file: string) => JSON.parse(readFileSync(new URL(`../../../${file}`, import.meta.url), 'utf8'));
    const manifest = json('package.json');
    const lock = json('package-lock.json');
    for (const kind of ['dependencies', 'devDependencies'])
      expect(lock.packages[''][kind], kind).toEqual(manifest[kind]);
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version, `${name} is pinned`).toMatch(/^\d+\.\d+\.\d+$/);
      expect(lock.packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
    expect(JSON.stringify(lock), 'no address of a registry').not.toContain('"resolved"');
  });
});
