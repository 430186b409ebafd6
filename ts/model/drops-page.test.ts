import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { AGENT_DROP_REASONS, isAgentDropReason } from './drop-reasons.js';
import { dropsPage, engineDropReasons } from './drops-page.js';

const fileOf = (path: string): URL => new URL(`../../${path}`, import.meta.url);
const source = readFileSync(fileOf('native/types/src/drop_reason.rs'), 'utf8');

describe('drop reasons', () => {
  it('are what docs/drops.md says', () => {
    const page = dropsPage(source);
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(fileOf('docs/drops.md'), page);
    expect(readFileSync(fileOf('docs/drops.md'), 'utf8'), 'run UPDATE_DOCS=1 npx vitest run ts/model').toBe(page);
  });

  it('of the engine are all found in its source', () => {
    const reasons = engineDropReasons(source);
    expect(reasons.length).toBe([...source.matchAll(/^ {4}\w+ = "/gm)].length);
    expect(reasons).toContainEqual(['vn_mtu', "The tenant's frame is longer than the VN's MTU."]);
  });

  it("of the agent are none of the engine's", () => {
    const engine = engineDropReasons(source).map(([reason]) => reason);
    expect(Object.keys(AGENT_DROP_REASONS).filter((reason) => engine.includes(reason))).toEqual([]);
    expect(['not_sent', 'toString', 'vn_mtu'].map(isAgentDropReason)).toEqual([true, false, false]);
  });
});
