// Prometheus' text format, version 0.0.4. Written out here: it is these lines, and a registry of a library would hold every series of
// every VAP a second time and render them in one turn of the event loop.

import { FAMILIES, type Family, type Labels, type Scrape } from './families.js';

export const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** Samples of a piece: well below a millisecond. */
const PIECE = 500;

/** The text in pieces, between which others may have their turn. */
export function* exposition(scrape: Scrape, families: readonly Family[] = FAMILIES): Generator<string> {
  let lines: string[] = [];
  for (const { name, type, help, samples } of families) {
    lines.push(`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${type}`);
    for (const [labels, value] of samples(scrape)) {
      lines.push(`${name}${labelsText(labels)} ${value}`);
      if (lines.length < PIECE) continue;
      yield `${lines.join('\n')}\n`;
      lines = [];
    }
  }
  yield lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

function labelsText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escapeLabel(`${value}`)}"`);
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`;
}

function escapeHelp(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n');
}

function escapeLabel(text: string): string {
  return escapeHelp(text).replaceAll('"', '\\"');
}
