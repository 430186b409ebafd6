// Makes the machine ready: checks what must be there, installs what is missing, says each step and why. Prints nothing when there is
// nothing to do, and needs no network then.
import { createHash } from 'node:crypto';
import { installPackages } from './apt.mjs';
import { missingPackages } from './packages.mjs';
import { atLeast, checkDpdk, checkRust, dpdkVersion, MINIMUM_DPDK, osWarning } from './platform.mjs';
import { SetupError } from './system.mjs';

/** @typedef {import('./system.mjs').System} System */

/** Which package-lock.json the packages in node_modules come from. */
const STAMP = 'node_modules/.splitnve-lock';

/**
 * @param {System} system
 * @param {{ sets: import('./packages.mjs').PackageSet[], install: boolean }} options `install: false`: list what would be done, and fail if
 * that is anything
 */
export async function setup(system, { sets, install }) {
  const warning = osWarning(system.read('/etc/os-release'));
  if (warning) system.say(`setup: warning: ${warning}`);
  checkRust(system);

  const missing = missingPackages(system, sets)?.filter(({ name }) => !isThereByOtherMeans(system, name));
  if (!missing) {
    system.say('setup: warning: no dpkg here, so whether the Debian packages are there is not checked');
  }
  const npmReason = npmInstallReason(system);

  if (missing && missing.length > 0) {
    system.say(`setup: Debian packages ${install ? 'to install' : 'that would be installed'}:`);
    const width = Math.max(...missing.map(({ name }) => name.length));
    for (const { name, reason } of missing) system.say(`  ${name.padEnd(width)}  ${reason}`);
  }
  if (npmReason)
    system.say(`setup: npm packages${install ? '' : ' that would be installed'}: npm install, because ${npmReason}`);
  if (!install && ((missing && missing.length > 0) || npmReason)) {
    throw new SetupError(
      'something is missing (listed above), and --no-install says not to install it',
      'run without --no-install',
    );
  }

  if (missing && missing.length > 0) await installPackages(system, missing, sets);
  checkDpdk(system);
  if (npmReason) await npmInstall(system);
}

/** A DPDK of the user's own serves as well as Debian's. @param {System} system @param {string} name */
function isThereByOtherMeans(system, name) {
  const version = name === 'libdpdk-dev' ? dpdkVersion(system) : undefined;
  return version !== undefined && atLeast(version, MINIMUM_DPDK);
}

/** Why `npm install` is due, or undefined. @param {System} system @returns {string | undefined} */
function npmInstallReason(system) {
  if (system.list('node_modules').length === 0) return 'node_modules is missing';
  const stamp = system.read(STAMP);
  if (stamp === undefined) return 'node_modules comes from elsewhere';
  return stamp === lockStamp(system) ? undefined : 'package-lock.json or Node has changed';
}

/**
 * What package-lock.json says, and nothing written into it. Not `npm ci`: that refuses a lock file that lacks the optional packages of other
 * platforms, and npm leaves them out where a mirror of the registry does not have them.
 * @param {System} system
 */
async function npmInstall(system) {
  const status = await system.run('npm', [
    'install',
    '--no-save',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ]);
  if (status !== 0) {
    throw new SetupError(
      `npm install failed with exit code ${status}`,
      'see what npm said above; it needs the npm registry, or a filled cache (npm config get cache)',
    );
  }
  system.write(STAMP, lockStamp(system));
}

/** @param {System} system */
function lockStamp(system) {
  const lock = createHash('sha256')
    .update(system.read('package-lock.json') ?? '')
    .digest('hex');
  return `${lock} node ABI ${process.versions.modules} ${process.arch}\n`;
}
