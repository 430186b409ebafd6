// The checks of what setup does not install itself: operating system, Rust, DPDK's version.
import { SetupError } from './system.mjs';

/** @typedef {import('./system.mjs').System} System */

export const MINIMUM_RUST = '1.88.0';
export const MINIMUM_DPDK = '22.11.0';

/** Is version `a` at least `b`? Numbers and dots; what follows (`-rc1`) is ignored. @param {string} a @param {string} b */
export function atLeast(a, b) {
  const [left, right] = [a, b].map(
    (version) =>
      version
        .split(/[^0-9.]/)[0]
        ?.split('.')
        .map(Number) ?? [],
  );
  for (let i = 0; i < 3; i++) {
    const difference = (left?.[i] ?? 0) - (right?.[i] ?? 0);
    if (difference !== 0) return difference > 0;
  }
  return true;
}

/**
 * A warning for a system that splitnve is not tried on, or undefined.
 * @param {string | undefined} osRelease the text of /etc/os-release
 * @returns {string | undefined}
 */
export function osWarning(osRelease) {
  /** @type {Record<string, string>} */
  const os = {};
  for (const match of (osRelease ?? '').matchAll(/^([A-Z_]+)="?([^"\n]*)"?$/gm)) os[match[1] ?? ''] = match[2] ?? '';
  const { ID: id, VERSION_ID: version = '', PRETTY_NAME: name = id ?? 'an unknown system' } = os;
  // Debian's testing and unstable have no VERSION_ID.
  const tried =
    (id === 'debian' && (version === '' || atLeast(version, '12'))) || (id === 'ubuntu' && atLeast(version, '24.04'));
  return tried ? undefined : `this is ${name}; splitnve is tried on Debian 12 or newer and Ubuntu 24.04 or newer`;
}

/** Rust and cargo, new enough. @param {System} system */
export function checkRust(system) {
  const remedy = `install Rust ${MINIMUM_RUST} or newer with rustup (https://rustup.rs), or \`rustup update stable\`; open a new shell and see that \`rustc --version\` says so`;
  for (const tool of ['rustc', 'cargo']) {
    const answer = system.capture(tool, ['--version']);
    if (!answer) {
      const hint = system.isRoot ? '; if it is there for another user, run as that user: setup asks sudo itself' : '';
      throw new SetupError(
        `${tool} is not there (not in PATH); splitnve needs Rust ${MINIMUM_RUST} or newer`,
        remedy + hint,
      );
    }
    const version = /^\w+ (\S+)/.exec(answer.stdout)?.[1];
    if (answer.status !== 0 || !version) {
      throw new SetupError(`\`${tool} --version\` failed: ${answer.stderr.trim() || answer.stdout.trim()}`, remedy);
    }
    if (!atLeast(version, MINIMUM_RUST)) {
      throw new SetupError(`this is ${tool} ${version}, splitnve needs Rust ${MINIMUM_RUST} or newer`, remedy);
    }
  }
}

/** The DPDK that pkg-config finds, as a version, or undefined. @param {System} system */
export function dpdkVersion(system) {
  const answer = system.capture('pkg-config', ['--modversion', 'libdpdk']);
  return answer?.status === 0 ? answer.stdout.trim() : undefined;
}

/** @param {System} system */
export function checkDpdk(system) {
  const version = dpdkVersion(system);
  if (version === undefined) {
    throw new SetupError(
      'DPDK is not there: pkg-config finds no libdpdk',
      'install the package libdpdk-dev, or set PKG_CONFIG_PATH to the folder of your own libdpdk.pc',
    );
  }
  if (!atLeast(version, MINIMUM_DPDK)) {
    throw new SetupError(
      `DPDK ${version} is too old, splitnve needs ${MINIMUM_DPDK} or newer`,
      'install libdpdk-dev of Debian 12, Ubuntu 24.04 or newer, or set PKG_CONFIG_PATH to the folder of a newer libdpdk.pc',
    );
  }
}
