// Is this Node new enough? In syntax that every Node with modules can read (see main.mjs).

export const MINIMUM_NODE = 20;

/**
 * What to tell the user, or undefined when the version is good.
 * @param {string} found as in process.versions.node
 * @returns {string | undefined}
 */
export function nodeVersionProblem(found) {
  if (parseInt(found, 10) >= MINIMUM_NODE) return undefined;
  return [
    `error: this is Node ${found} (${process.execPath}), splitnve needs Node ${MINIMUM_NODE} or newer`,
    `  fix: install Node ${MINIMUM_NODE} or newer (https://nodejs.org/en/download); \`node --version\` must say so`,
  ].join('\n');
}
