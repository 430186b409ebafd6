// What a configuration says to `vdp explain`: how an agent with it would read a frame that it sees at one of its links.

import { type LinkName, nveError } from '#model';
import type { ExplainOptions } from '#protocol';
import { readConfig } from '../../process.js';
import { LocalPolicy } from '../local-policy.js';
import { formatsOf, rulesOf } from './vdp-options.js';

/**
 * `link`: where the frames were seen; may be left out if only one link speaks VDP. Throws NVE-CFG-001 and -002 as the agent does, and
 * NVE-CLI-002 if the link is not one that speaks VDP.
 */
export function explainOptions(file: string, link?: string): ExplainOptions {
  const config = readConfig('agent', file);
  const links: readonly LinkName[] = config.access.filter(({ vdp }) => vdp).map(({ port }) => port);
  const chosen = links.find((name) => name === (link ?? links[0]));
  if (chosen === undefined || (link === undefined && links.length > 1)) {
    const problem = `--link has to be a link of ${file} that speaks VDP: ${links.join(', ') || 'there is none'}`;
    throw nveError('NVE-CLI-002', { problem });
  }
  const policy = new LocalPolicy(config.authorization);
  const rules = rulesOf(config, (vsi, { key, vn, macs }) => {
    // Which VN it is, the NVA would say.
    if (policy.asksNva) return null;
    const info = policy.vn(vn);
    const verdict = info.ok ? policy.judge({ ...key, vn: info.value, macs, vsi }) : info;
    return verdict.ok ? null : verdict.error;
  });
  return { link: chosen, formats: formatsOf(config), rules };
}
