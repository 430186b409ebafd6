// Rules between the keys of an agent's underlay: its addresses, the routes behind them, the exception path.

import { ipFamily, ipToBytes, parseIp } from '../ip.js';
import { checkPortName, complain, list, namesIn, unique } from './complaints.js';
import { type Complaint, valueAt } from './problems.js';
import { closest } from './suggest.js';

/** Ports that are there, each address once, gateways that can be reached, and an exception path that leads somewhere. */
export function checkUnderlay(root: unknown): Complaint[] {
  const items = list(root, 'underlay');
  const addressOf = (item: unknown): unknown => {
    const address = valueAt(item, ['address']);
    return typeof address === 'string' ? address.replace(/\/.*$/s, '') : undefined;
  };
  const addresses = items.map(addressOf);
  const own = items.flatMap((item, n): Complaint[] => {
    const earlier = addresses.indexOf(addresses[n]);
    const taken =
      addresses[n] === undefined || earlier === n
        ? []
        : [complain(['underlay', n, 'address'], `another address than that of underlay[${earlier}]`, addresses[n])];
    const zero = valueAt(item, ['zero_checksum']);
    const isIpv4 = typeof addresses[n] === 'string' && !addresses[n].includes(':');
    const needless =
      zero === true && isIpv4
        ? [complain(['underlay', n, 'zero_checksum'], 'nothing: IPv4 takes packets without a checksum anyway', zero)]
        : [];
    return [...checkPortName(root, ['underlay', n, 'port']), ...taken, ...needless];
  });
  return [...own, ...checkRoutes(root), ...checkException(root)];
}

function checkRoutes(root: unknown): Complaint[] {
  const links = list(root, 'underlay').map((item) => valueAt(item, ['address']));
  const gateways = list(root, 'route').flatMap((item, n) => {
    const [prefix, all] = [valueAt(item, ['prefix']), valueAt(item, ['gateways'])];
    if (typeof prefix !== 'string' || !Array.isArray(all)) return [];
    const isIpv6 = prefix.includes(':');
    return all.flatMap((gateway: unknown, i): Complaint[] => {
      const path = ['route', n, 'gateways', i];
      if (typeof gateway !== 'string') return [];
      if (gateway.includes(':') !== isIpv6)
        return [complain(path, 'a gateway of the same family as the prefix', gateway)];
      if (links.some((address) => isOnLink(gateway, address))) return [];
      return [complain(path, 'another host on the link of an [[underlay]] address', gateway)];
    });
  });
  return [...unique(root, 'route', 'prefix'), ...gateways];
}

/** What is wrong in itself is told elsewhere, and is on no link that could be told. */
function isOnLink(gateway: string, address: unknown): boolean {
  const [own, length] = typeof address === 'string' ? address.split('/') : [];
  const [a, b] = [parseIp(own), parseIp(gateway)];
  if (!a.ok || !b.ok) return true;
  if (ipFamily(a.value) !== ipFamily(b.value) || a.value === b.value) return false;
  const other = ipToBytes(b.value);
  return ipToBytes(a.value).every((octet, i) => {
    const bits = Math.min(8, Math.max(0, Number(length) - i * 8));
    return (octet ^ (other[i] ?? 0)) >> (8 - bits) === 0;
  });
}

function checkException(root: unknown): Complaint[] {
  const at = (key: string): unknown => valueAt(root, ['exception', key]);
  const [underlay, port] = [at('underlay'), at('port')];
  const known = [...new Set(namesIn(root, 'underlay', 'port'))];
  const unknown =
    typeof underlay !== 'string' || known.includes(underlay)
      ? []
      : [
          complain(
            ['exception', 'underlay'],
            `the port of an [[underlay]]: ${known.join(', ')}`,
            underlay,
            closest(underlay, known),
          ),
        ];
  return [...unknown, ...checkPortName(root, ['exception', 'port']), ...checkTap(root, underlay, port)];
}

/** The kernel's end of a port: a TAP of its own, whose packets fit there. */
function checkTap(root: unknown, underlay: unknown, name: unknown): Complaint[] {
  const portOf = (wanted: unknown): unknown => list(root, 'port').find((item) => valueAt(item, ['name']) === wanted);
  const tap = portOf(name);
  if (tap === undefined) return [];
  const path = ['exception', 'port'];
  if (valueAt(tap, ['driver']) !== 'net_tap') return [complain(path, 'a port with the driver net_tap', name)];
  const addresses = namesIn(root, 'underlay', 'port');
  if (typeof name === 'string' && addresses.includes(name))
    return [complain(path, 'a port without an [[underlay]] address', name)];
  const mtuOf = (item: unknown): number => {
    const mtu = valueAt(item, ['mtu']) ?? 1500;
    return typeof mtu === 'number' ? mtu : 0;
  };
  const [own, limit] = [mtuOf(tap), mtuOf(portOf(underlay))];
  if (limit === 0 || own <= limit) return [];
  return [complain(path, `a port with an MTU of at most ${limit}, that of ${underlay}`, name)];
}
