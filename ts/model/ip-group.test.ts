import { expect, it } from 'vitest';
import { type IpAddr, isOverlayGroup } from './ip.js';

it('an overlay keeps away from the groups of the link itself and from those of named sources', () => {
  const usable = ['224.0.1.0', '239.1.1.1', 'ff03::1', 'ff05::5:1', 'ff35:40:2001:db8::1', 'ff1e::9'];
  const not = ['192.0.2.1', '224.0.0.9', '232.1.1.1', '2001:db8::1', 'ff01::9', 'ff02::9', 'ff0f::1', 'ff35::1'];
  expect(usable.map((ip) => isOverlayGroup(ip as IpAddr))).toEqual(usable.map(() => true));
  expect(not.map((ip) => isOverlayGroup(ip as IpAddr))).toEqual(not.map(() => false));
});
