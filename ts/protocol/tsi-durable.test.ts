/** What the life cycle tells a store: what was acknowledged, and no more. */
import { expect, it } from 'vitest';
import { tsiKeyText } from '#model';
import { key, mac, TsiRig } from './testing/tsi-rig.js';

const known = (rig: TsiRig) => rig.remembered.get(tsiKeyText(key()));

it('remembers a TSI from its resources on, as it was asked to be, and forgets it when it shall go', () => {
  const rig = new TsiRig();
  rig.attach();
  rig.allow();
  expect(known(rig)).toBeUndefined();
  rig.applied();
  expect(known(rig)).toMatchObject({
    key: key(),
    vn: { name: 'blue' },
    macs: [mac(1)],
    upTo: 'activated',
    asker: 'rpc',
  });
  expect(rig.tags).toMatchObject([{ domain: 'acc0', vnName: 'blue', vid: 100, held: true }]);
  rig.applied();
  rig.do({ type: 'linkDown', link: key().link });
  rig.applied();
  expect([rig.state(), known(rig)]).toMatchObject(['associated', { upTo: 'activated' }]);
  rig.ask('deactivate');
  expect(known(rig)).toMatchObject({ upTo: 'associated' });
  rig.ask('deassociate');
  expect(known(rig)).toBeNull();
  rig.applied();
  expect(rig.tags.at(-1)).toMatchObject({ vid: 100, held: false });
});

it('addresses that are not in force yet are not remembered', () => {
  const rig = new TsiRig();
  rig.settle('activated');
  rig.addresses([2]);
  rig.allow();
  expect(known(rig)).toMatchObject({ macs: [mac(1)] });
  rig.applied();
  expect(known(rig)).toMatchObject({ macs: [mac(2)] });
});
