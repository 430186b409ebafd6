// The Debian packages that splitnve needs, and what each is for.

/**
 * `run`: to build and to run. `test`: what `npm test` needs besides. `bench`: what `npm run bench` needs besides.
 * @typedef {'run' | 'test' | 'bench'} PackageSet
 * @typedef {{ name: string, set: PackageSet, reason: string, preseed?: string }} DebianPackage
 */

/** @type {DebianPackage[]} */
export const debianPackages = [
  { name: 'libdpdk-dev', set: 'run', reason: 'DPDK: the libraries and drivers the engine is built on' },
  { name: 'pkg-config', set: 'run', reason: 'tells the build where DPDK is' },
  { name: 'build-essential', set: 'run', reason: 'C compiler and linker for the native addon' },
  { name: 'clang', set: 'run', reason: 'reads the DPDK headers for the Rust bindings' },
  { name: 'libclang-dev', set: 'run', reason: 'the library form of clang that bindgen loads' },
  { name: 'iproute2', set: 'run', reason: 'ip: network namespaces and interfaces of the demo' },
  { name: 'ethtool', set: 'run', reason: 'turns checksum offload off where a veth meets the engine' },
  { name: 'iputils-ping', set: 'run', reason: 'ping between the tenants of the demo' },
  { name: 'iperf3', set: 'run', reason: 'TCP and UDP traffic between the tenants of the demo' },
  { name: 'tcpdump', set: 'run', reason: 'shows the frames on a link' },
  { name: 'python3', set: 'test', reason: 'sends the raw frames of the interoperability tests' },
  { name: 'python3-msgpack', set: 'test', reason: 'speaks the RPC of a hypervisor in another language' },
  {
    name: 'openvswitch-switch',
    set: 'test',
    reason: 'an NVE of others, with VXLAN and Geneve in its userspace datapath',
  },
  { name: 'lldpad', set: 'test', reason: 'the EVB station of others that the agent negotiates with' },
  {
    name: 'tshark',
    set: 'test',
    reason: 'a second opinion on every encapsulated frame',
    preseed: 'wireshark-common wireshark-common/install-setuid boolean false',
  },
  { name: 'dpdk-dev', set: 'bench', reason: 'dpdk-testpmd, the floor that the engine is measured against' },
];

/**
 * The packages of these sets that are not installed, or undefined where there is no dpkg to ask.
 * @param {import('./system.mjs').System} system
 * @param {PackageSet[]} sets
 * @returns {DebianPackage[] | undefined}
 */
export function missingPackages(system, sets) {
  const wanted = debianPackages.filter(({ set }) => sets.includes(set));
  const names = wanted.map(({ name }) => name);
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg's own placeholders.
  const format = '--showformat=${Package} ${db:Status-Status}\\n';
  // Exits 1 when it does not know one of them; what it knows it prints all the same.
  const answer = system.capture('dpkg-query', ['--show', format, ...names]);
  if (!answer) return undefined;
  const installed = new Set(
    answer.stdout
      .split('\n')
      .filter((line) => line.endsWith(' installed'))
      .map((line) => line.split(' ')[0]),
  );
  return wanted.filter(({ name }) => !installed.has(name));
}
