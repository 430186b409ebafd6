// The one option that setup takes from every command; the rest belongs to the command.

/**
 * @param {string[]} args
 * @returns {{ install: boolean, rest: string[] }}
 */
export function setupOptions(args) {
  return { install: !args.includes('--no-install'), rest: args.filter((arg) => arg !== '--no-install') };
}
