// Is this Node new enough? In syntax that every Node with modules can read (see main.mjs).

/**
 * What to tell the user, or undefined when the version is good: 20.19 or newer of the 20 line, or 22 and newer. Older ones of 20, and 21, lack
 * what vite and @napi-rs/cli ask of the `util` module.
 * @param {string} found as in process.versions.node
 * @returns {string | undefined}
 */
export function nodeVersionProblem(found) {
  const [major = 0, minor = 0] = found.split('.').map(Number);
  if (major >= 22 || (major === 20 && minor >= 19)) return undefined;
  return [
    `error: this is Node ${found} (${process.execPath}), splitnve needs Node 20.19 or newer, and not 21`,
    '  fix: install a newer Node (https://nodejs.org/en/download); `node --version` must say so',
  ].join('\n');
}
