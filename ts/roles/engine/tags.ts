// A VN's tag on a link and the engine's word for it: which frames of a port belong to a VAP.

import type { Selector } from '#dataplane';
import type { Tag } from '#model';

export function selectorOf(tag: Tag): Selector {
  switch (tag.kind) {
    case 'c-tag':
    case 's-tag':
      return { kind: tag.kind, vid: tag.vid };
    case 's-tag+c-tag':
      return { kind: tag.kind, sVid: tag.s_vid, cVid: tag.c_vid };
    case 'port':
      return { kind: 'port' };
  }
}

/** Null: the untagged frames, which no tag names. */
export function tagOfSelector(selector: Selector): Tag | null {
  switch (selector.kind) {
    case 'c-tag':
    case 's-tag':
      return { kind: selector.kind, vid: selector.vid };
    case 's-tag+c-tag':
      return { kind: selector.kind, s_vid: selector.sVid, c_vid: selector.cVid };
    case 'port':
      return { kind: 'port' };
    case 'untagged':
      return null;
  }
}
