/**
 * Every phase with every event: what comes out, and where the TSI is then. TSI t1 on acc0 holds MAC 1; `move` and the like
 * are in tsi.test.ts. Requests: 1 and 2 brought it into the phase, the event's own is the highest.
 */
import { describe, expect, it } from 'vitest';
import { key, TsiRig, vnInfo } from './testing/tsi-rig.js';

/** How a fresh table gets into each phase. `phase*` is a second way to be there. */
const PHASES: Record<string, (rig: TsiRig) => void> = {
  init: () => {},
  authorizing: (rig) => rig.associate(),
  'authorizing to activated': (rig) => rig.attach(),
  reserving: (rig) => {
    rig.associate();
    rig.allow();
  },
  associated: (rig) => rig.settle('associated'),
  'recheck-associated': (rig) => {
    rig.settle('associated');
    rig.addresses([2]);
  },
  activating: (rig) => {
    rig.settle('associated');
    rig.ask('activate');
  },
  'activating in one': (rig) => {
    rig.attach();
    rig.allow();
    rig.applied();
  },
  activated: (rig) => rig.settle('activated'),
  'recheck-activated': (rig) => {
    rig.settle('activated');
    rig.addresses([2]);
  },
  updating: (rig) => {
    rig.settle('activated');
    rig.addresses([2]);
    rig.allow();
  },
  deactivating: (rig) => {
    rig.settle('activated');
    rig.ask('deactivate');
  },
  'deactivating to init': (rig) => {
    rig.settle('activated');
    rig.ask('deassociate');
  },
  releasing: (rig) => {
    rig.settle('associated');
    rig.ask('deassociate');
  },
};

const EVENTS: Record<string, (rig: TsiRig) => string[]> = {
  associate: (rig) => rig.associate(),
  attach: (rig) => rig.attach(),
  'associate other': (rig) => rig.associate([3]),
  activate: (rig) => rig.ask('activate'),
  deactivate: (rig) => rig.ask('deactivate'),
  deassociate: (rig) => rig.ask('deassociate'),
  addresses: (rig) => rig.addresses([3]),
  expire: (rig) => rig.expire(),
  allow: (rig) => rig.allow(),
  deny: (rig) => rig.deny(),
  applied: (rig) => rig.applied(),
  refused: (rig) => rig.refused(),
  linkDown: (rig) => rig.do({ type: 'linkDown', link: key().link }),
  linkUp: (rig) => rig.do({ type: 'linkUp', link: key().link }),
  vnChanged: (rig) => rig.do({ type: 'vnChanged', vn: vnInfo() }),
  revoke: (rig) => rig.do({ type: 'revoke', scope: { key: key() }, reason: 'test' }),
};

const TABLE: Record<string, Record<string, string>> = {
  init: {
    associate: 'askAuth t1@acc0 blue [1], => authorizing',
    attach: 'askAuth t1@acc0 blue [1], => authorizing',
    'associate other': 'askAuth t1@acc0 blue [3], => authorizing',
    activate: 'answer 1 NVE-TSI-001, => init',
    deactivate: 'answer 1 NVE-TSI-001, => init',
    deassociate: 'answer 1 gone, => init',
    addresses: 'answer 1 NVE-TSI-001, => init',
    expire: '=> init',
    allow: '=> init',
    deny: '=> init',
    applied: '=> init',
    refused: '=> init',
    linkDown: '=> init',
    linkUp: '=> init',
    vnChanged: '=> init',
    revoke: '=> init',
  },
  authorizing: {
    associate: '=> authorizing',
    attach: '=> authorizing',
    'associate other': 'answer 1 NVE-TSI-006, askAuth t1@acc0 blue [3], => authorizing',
    activate: '=> authorizing',
    deactivate: '=> authorizing',
    deassociate: 'answer 1 NVE-TSI-006, answer 2 gone, => init',
    addresses: 'answer 1 NVE-TSI-006, askAuth t1@acc0 blue [3], => authorizing',
    expire: 'answer 1 NVE-RPC-004, => init',
    allow: 'connectVn blue, reserve t1@acc0 100, => reserving',
    deny: 'answer 1 NVE-NVA-002, => init',
    applied: '=> authorizing',
    refused: '=> authorizing',
    linkDown: '=> authorizing',
    linkUp: '=> authorizing',
    vnChanged: '=> authorizing',
    revoke: 'answer 1 NVE-TSI-007, => init',
  },
  'authorizing to activated': {
    associate: '=> authorizing',
    attach: '=> authorizing',
    'associate other': 'answer 1 NVE-TSI-006, askAuth t1@acc0 blue [3], => authorizing',
    activate: '=> authorizing',
    deactivate: 'answer 1 NVE-TSI-006, => authorizing',
    deassociate: 'answer 1 NVE-TSI-006, answer 2 gone, => init',
    addresses: 'answer 1 NVE-TSI-006, askAuth t1@acc0 blue [3], => authorizing',
    expire: 'answer 1 NVE-RPC-004, => init',
    allow: 'connectVn blue, reserve t1@acc0 100, => reserving',
    deny: 'answer 1 NVE-NVA-002, => init',
    applied: '=> authorizing',
    refused: '=> authorizing',
    linkDown: 'answer 1 NVE-TSI-005, => init',
    linkUp: '=> authorizing',
    vnChanged: '=> authorizing',
    revoke: 'answer 1 NVE-TSI-007, => init',
  },
  reserving: {
    associate: '=> reserving',
    attach: '=> reserving',
    'associate other': '=> reserving',
    activate: '=> reserving',
    deactivate: '=> reserving',
    deassociate: 'answer 1 NVE-TSI-006, => reserving',
    addresses: '=> reserving',
    expire: 'answer 1 NVE-RPC-004, => reserving',
    allow: '=> reserving',
    deny: '=> reserving',
    applied: 'answer 1 associated, => associated',
    refused: 'disconnectVn blue, answer 1 NVE-ENG-000, => init',
    linkDown: '=> reserving',
    linkUp: '=> reserving',
    vnChanged: '=> reserving',
    revoke: 'answer 1 NVE-TSI-007, => reserving',
  },
  associated: {
    associate: 'answer 2 associated, => associated',
    attach: 'program t1@acc0 100 [1] first, => activating',
    'associate other': 'askAuth t1@acc0 blue [3], => associated',
    activate: 'program t1@acc0 100 [1] first, => activating',
    deactivate: 'answer 2 associated, => associated',
    deassociate: 'release t1@acc0 100, => releasing',
    addresses: 'askAuth t1@acc0 blue [3], => associated',
    expire: '=> associated',
    allow: '=> associated',
    deny: '=> associated',
    applied: '=> associated',
    refused: '=> associated',
    linkDown: '=> associated',
    linkUp: '=> associated',
    vnChanged: '=> associated',
    revoke: 'ended t1@acc0 NVE-TSI-007, release t1@acc0 100, => releasing',
  },
  'recheck-associated': {
    associate: 'answer 2 NVE-TSI-006, answer 3 associated, => associated',
    attach: 'answer 2 NVE-TSI-006, program t1@acc0 100 [1] first, => activating',
    'associate other': 'answer 2 NVE-TSI-006, askAuth t1@acc0 blue [3], => associated',
    activate: '=> associated',
    deactivate: 'answer 3 associated, => associated',
    deassociate: 'answer 2 NVE-TSI-006, release t1@acc0 100, => releasing',
    addresses: 'answer 2 NVE-TSI-006, askAuth t1@acc0 blue [3], => associated',
    expire: 'answer 2 NVE-RPC-004, => associated',
    allow: 'answer 2 associated, => associated',
    deny: 'answer 2 NVE-NVA-002, => associated',
    applied: '=> associated',
    refused: '=> associated',
    linkDown: '=> associated',
    linkUp: '=> associated',
    vnChanged: '=> associated',
    revoke: 'ended t1@acc0 NVE-TSI-007, answer 2 NVE-TSI-007, release t1@acc0 100, => releasing',
  },
  activating: {
    associate: '=> activating',
    attach: '=> activating',
    'associate other': '=> activating',
    activate: '=> activating',
    deactivate: 'answer 2 NVE-TSI-006, => activating',
    deassociate: 'answer 2 NVE-TSI-006, => activating',
    addresses: '=> activating',
    expire: 'answer 2 NVE-RPC-004, => activating',
    allow: '=> activating',
    deny: '=> activating',
    applied: 'report attach t1@acc0 [1], answer 2 activated, => activated',
    refused: 'answer 2 NVE-ENG-000, => associated',
    linkDown: 'answer 2 NVE-TSI-005, => activating',
    linkUp: '=> activating',
    vnChanged: '=> activating',
    revoke: 'ended t1@acc0 NVE-TSI-007, answer 2 NVE-TSI-007, => activating',
  },
  'activating in one': {
    associate: '=> activating',
    attach: '=> activating',
    'associate other': '=> activating',
    activate: '=> activating',
    deactivate: 'answer 1 NVE-TSI-006, => activating',
    deassociate: 'answer 1 NVE-TSI-006, => activating',
    addresses: '=> activating',
    expire: 'answer 1 NVE-RPC-004, => activating',
    allow: '=> activating',
    deny: '=> activating',
    applied: 'report attach t1@acc0 [1], answer 1 activated, => activated',
    refused: 'answer 1 NVE-ENG-000, release t1@acc0 100, => releasing',
    linkDown: 'answer 1 NVE-TSI-005, => activating',
    linkUp: '=> activating',
    vnChanged: '=> activating',
    revoke: 'ended t1@acc0 NVE-TSI-007, answer 1 NVE-TSI-007, => activating',
  },
  activated: {
    associate: 'answer 2 activated, => activated',
    attach: 'answer 2 activated, => activated',
    'associate other': 'askAuth t1@acc0 blue [3], => activated',
    activate: 'answer 2 activated, => activated',
    deactivate: 'report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    deassociate: 'report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    addresses: 'askAuth t1@acc0 blue [3], => activated',
    expire: '=> activated',
    allow: '=> activated',
    deny: '=> activated',
    applied: '=> activated',
    refused: '=> activated',
    linkDown: 'report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    linkUp: '=> activated',
    vnChanged: '=> activated',
    revoke: 'ended t1@acc0 NVE-TSI-007, report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
  },
  'recheck-activated': {
    associate: 'answer 2 NVE-TSI-006, answer 3 activated, => activated',
    attach: 'answer 2 NVE-TSI-006, answer 3 activated, => activated',
    'associate other': 'answer 2 NVE-TSI-006, askAuth t1@acc0 blue [3], => activated',
    activate: '=> activated',
    deactivate: 'report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    deassociate: 'answer 2 NVE-TSI-006, report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    addresses: 'answer 2 NVE-TSI-006, askAuth t1@acc0 blue [3], => activated',
    expire: 'answer 2 NVE-RPC-004, => activated',
    allow: 'program t1@acc0 100 [2] -[1], => activated',
    deny: 'answer 2 NVE-NVA-002, => activated',
    applied: '=> activated',
    refused: '=> activated',
    linkDown: 'report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
    linkUp: '=> activated',
    vnChanged: '=> activated',
    revoke:
      'ended t1@acc0 NVE-TSI-007, answer 2 NVE-TSI-007, report detach t1@acc0 [1], unprogram t1@acc0 100 [1] last, => deactivating',
  },
  updating: {
    associate: '=> activated',
    attach: '=> activated',
    'associate other': '=> activated',
    activate: '=> activated',
    deactivate: '=> activated',
    deassociate: 'answer 2 NVE-TSI-006, => activated',
    addresses: '=> activated',
    expire: 'answer 2 NVE-RPC-004, => activated',
    allow: '=> activated',
    deny: '=> activated',
    applied: 'report attach t1@acc0 [2], answer 2 activated, => activated',
    refused: 'answer 2 NVE-ENG-000, => activated',
    linkDown: '=> activated',
    linkUp: '=> activated',
    vnChanged: '=> activated',
    revoke: 'ended t1@acc0 NVE-TSI-007, answer 2 NVE-TSI-007, => activated',
  },
  deactivating: {
    associate: '=> deactivating',
    attach: '=> deactivating',
    'associate other': '=> deactivating',
    activate: '=> deactivating',
    deactivate: '=> deactivating',
    deassociate: '=> deactivating',
    addresses: '=> deactivating',
    expire: 'answer 2 NVE-RPC-004, => deactivating',
    allow: '=> deactivating',
    deny: '=> deactivating',
    applied: 'answer 2 associated, => associated',
    refused: 'report attach t1@acc0 [1], answer 2 NVE-ENG-000, => activated',
    linkDown: '=> deactivating',
    linkUp: '=> deactivating',
    vnChanged: '=> deactivating',
    revoke: 'ended t1@acc0 NVE-TSI-007, => deactivating',
  },
  'deactivating to init': {
    associate: '=> deactivating',
    attach: '=> deactivating',
    'associate other': '=> deactivating',
    activate: 'answer 3 NVE-TSI-001, => deactivating',
    deactivate: 'answer 3 NVE-TSI-001, => deactivating',
    deassociate: '=> deactivating',
    addresses: 'answer 3 NVE-TSI-001, => deactivating',
    expire: 'answer 2 NVE-RPC-004, => deactivating',
    allow: '=> deactivating',
    deny: '=> deactivating',
    applied: 'release t1@acc0 100, => releasing',
    refused: 'report attach t1@acc0 [1], answer 2 NVE-ENG-000, => activated',
    linkDown: '=> deactivating',
    linkUp: '=> deactivating',
    vnChanged: '=> deactivating',
    revoke: '=> deactivating',
  },
  releasing: {
    associate: '=> releasing',
    attach: '=> releasing',
    'associate other': '=> releasing',
    activate: 'answer 3 NVE-TSI-001, => releasing',
    deactivate: 'answer 3 NVE-TSI-001, => releasing',
    deassociate: '=> releasing',
    addresses: 'answer 3 NVE-TSI-001, => releasing',
    expire: 'answer 2 NVE-RPC-004, => releasing',
    allow: '=> releasing',
    deny: '=> releasing',
    applied: 'disconnectVn blue, answer 2 gone, => init',
    refused: 'answer 2 NVE-ENG-000, => associated',
    linkDown: '=> releasing',
    linkUp: '=> releasing',
    vnChanged: '=> releasing',
    revoke: '=> releasing',
  },
};

describe('every phase with every event', () => {
  for (const [phase, enter] of Object.entries(PHASES)) {
    for (const [event, fire] of Object.entries(EVENTS)) {
      it(`${phase}: ${event}`, () => {
        const rig = new TsiRig();
        enter(rig);
        const effects = fire(rig);
        const got = `${[...effects, ''].join(', ')}=> ${rig.state()}`;
        expect(got).toBe(TABLE[phase]?.[event]);
      });
    }
  }
});
