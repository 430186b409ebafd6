/** For tests: an allocator of links on which C-TAGs name VNs, each a domain of its own. */
import { type LinkName, unwrap, type Vid } from '#model';
import { TagAllocator } from '../tags.js';

export function cTagLinks(links: readonly string[], from: number, to: number): TagAllocator {
  const tags = new TagAllocator();
  for (const name of links) {
    const domain = { name, pool: [{ from: from as Vid, to: to as Vid }], reserve: [] };
    unwrap(tags.addLink(name as LinkName, { kind: 'c-tag', domain, explicitVids: true }));
  }
  return tags;
}
