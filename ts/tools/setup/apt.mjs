// Installs Debian packages, and says which one failed.
import { missingPackages } from './packages.mjs';
import { SetupError } from './system.mjs';

/** @typedef {import('./system.mjs').System} System */
/** @typedef {import('./packages.mjs').DebianPackage} DebianPackage */

/**
 * @param {System} system
 * @param {DebianPackage[]} packages
 * @param {import('./packages.mjs').PackageSet[]} sets
 */
export async function installPackages(system, packages, sets) {
  const names = packages.map(({ name }) => name);
  const byHand = `install them by hand: apt-get install ${names.join(' ')}`;
  if (!system.isRoot && !system.capture('sudo', ['--version'])) {
    throw new SetupError(
      `these Debian packages are missing, and installing them needs root or sudo: ${names.join(', ')}`,
      `as root, ${byHand}`,
    );
  }
  /** @param {string} command @param {string[]} args */
  const asRoot = (command, args) =>
    system.isRoot ? system.run(command, args) : system.run('sudo', [command, ...args]);
  /** @param {string[]} args */
  const aptGet = (args) =>
    asRoot('env', [
      'DEBIAN_FRONTEND=noninteractive',
      'apt-get',
      '-q',
      '-o',
      'DPkg::Lock::Timeout=300',
      '-o',
      'Dpkg::Use-Pty=0',
      ...args,
    ]);
  const update = () => {
    system.say('setup: apt-get update, for the package lists');
    return aptGet(['update']);
  };

  for (const line of packages.flatMap(({ preseed }) => preseed ?? [])) {
    const [command, ...args] = [...(system.isRoot ? [] : ['sudo']), 'debconf-set-selections'];
    system.capture(/** @type {string} */ (command), args, `${line}\n`);
  }
  const hasLists = system.list('/var/lib/apt/lists').some((name) => name.includes('_Packages'));
  if (!hasLists) await update();
  const install = () => aptGet(['install', '--yes', '--no-install-recommends', ...names]);
  let status = await install();
  // Old lists name files that the archive has replaced since: fetch new ones and try once more.
  if (status !== 0 && hasLists) {
    await update();
    status = await install();
  }
  const missing = missingPackages(system, sets) ?? [];
  if (status === 0 && missing.length === 0) return;
  const culprits = missing.map(({ name, reason }) => `${name} (${whyNot(system, name) ?? reason})`);
  throw new SetupError(
    culprits.length > 0
      ? `apt-get could not install ${culprits.join(', ')}`
      : `apt-get ended with exit code ${status}, though every package is there`,
    `see what apt-get said above, mend it (network, /etc/apt/sources.list, \`apt-get --fix-broken install\`), then run this again; or ${byHand}`,
  );
}

/**
 * Why apt cannot have a package at all, or undefined.
 * @param {System} system
 * @param {string} name
 */
function whyNot(system, name) {
  const policy = system.capture('apt-cache', ['policy', name]);
  if (!policy) return undefined;
  return /Candidate: (?!\(none\))/.test(policy.stdout) ? undefined : 'no configured package source has it';
}
