/** `docs/drops.md`, made from the engine's list (the text of its source file) and the agent's. */
import { AGENT_DROP_REASONS } from './drop-reasons.js';

const HEAD = `# Drop reasons

Made from \`native/types/src/drop_reason.rs\` and \`ts/model/drop-reasons.ts\`; a test keeps them equal. Every packet that goes no further is counted
under one of these, for the port where it came in; \`splitnve show drops\` shows those that occurred, \`--all\` the others too.
`;

/** Each reason of the Rust enum is a doc comment, then `Name = "reason",`. */
export function engineDropReasons(source: string): [reason: string, meaning: string][] {
  const found = source.matchAll(/((?:^ {4}\/\/\/.*\n)+)^ {4}\w+ = "(\w+)",/gm);
  return [...found].map(([, doc = '', reason = '']) => [
    reason,
    doc
      .split('\n')
      .map((line) => line.replace(/^ *\/\/\/ ?/, ''))
      .join(' ')
      .trim(),
  ]);
}

export function dropsPage(engineSource: string): string {
  const table = (rows: readonly (readonly [string, string])[]): string =>
    ['| reason | meaning |', '|---|---|', ...rows.map(([reason, text]) => `| \`${reason}\` | ${text} |`)].join('\n');
  return [
    HEAD,
    "## The engine's",
    table(engineDropReasons(engineSource)),
    "## The agent's",
    'Of frames that the engine punts from an access port to the agent (LLDP, ECP), and of those that the agent sends there.',
    `${table(Object.entries(AGENT_DROP_REASONS))}\n`,
  ]
    .join('\n\n')
    .replace('\n\n\n', '\n\n');
}
