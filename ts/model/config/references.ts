// Rules between keys that no schema of one key can hold: names that must exist, names that must be unique. They work on the file as
// it was parsed, also when other keys of it are wrong, so that every mistake is told at once.

import { isLinkOf } from '../names.js';
import { checkPortName, complain, list, namesIn, unique, uniqueAt } from './complaints.js';
import type { Path } from './positions.js';
import { type Complaint, formatPath, valueAt } from './problems.js';
import { closest } from './suggest.js';
import { checkUnderlay } from './underlay-rules.js';

/** Ethernet header and two VLAN tags: what a frame has on top of the port's MTU. */
const FRAME_OVERHEAD = 22;
/** RTE_PKTMBUF_HEADROOM of DPDK's default build. */
const HEADROOM = 128;

export type RoleName = 'agent' | 'tnve' | 'nva';

export function checkReferences(role: RoleName, root: unknown): Complaint[] {
  switch (role) {
    case 'agent':
      return [
        ...checkPorts(root),
        ...checkUnderlay(root),
        ...unique(root, 'acl', 'name'),
        ...checkAclNames(root, 'access'),
        ...checkAccess(root),
        ...uniqueAt(root, ['vdp', 'filter_format'], 'code'),
        ...checkAuthorization(root),
        ...checkClients(root),
        ...checkTlsOf(root, 'nva'),
      ];
    case 'tnve':
      return [
        ...checkPorts(root),
        ...checkPortName(root, ['uplink', 'port']),
        ...checkProtocol(root),
        ...unique(root, 'vn', 'name'),
        ...unique(root, 'vn', 'vni'),
        ...checkVnMtu(root),
      ];
    case 'nva':
      return [
        ...unique(root, 'vn', 'name'),
        ...unique(root, 'vn', 'vni'),
        ...unique(root, 'vn', 'id'),
        ...unique(root, 'nve', 'id'),
        ...checkAddresses(root),
        ...unique(root, 'acl', 'name'),
        ...checkAclNames(root, 'vn'),
        ...checkReplicationNodes(root),
        ...checkTlsOf(root, 'listen'),
      ];
  }
}

/** An endpoint with TLS needs certificates. */
function checkTlsOf(root: unknown, section: 'nva' | 'listen'): Complaint[] {
  if (valueAt(root, [section, 'tls']) !== undefined) return [];
  return list(root, [section, 'endpoints']).flatMap((endpoint, i) => {
    const address = typeof endpoint === 'string' ? endpoint : valueAt(endpoint, ['address']);
    if (typeof address !== 'string' || !address.startsWith('tls:')) return [];
    return [{ path: [section, 'endpoints', i], expected: `a [${section}.tls] with the certificates`, got: 'none' }];
  });
}

function checkPorts(root: unknown): Complaint[] {
  const mbufSize = valueAt(root, ['engine', 'mbuf_size']) ?? 2176;
  const tooLarge = list(root, 'port').flatMap((item, n) => {
    const mtu = valueAt(item, ['mtu']);
    const room = typeof mbufSize === 'number' ? mbufSize - HEADROOM - FRAME_OVERHEAD : Number.POSITIVE_INFINITY;
    if (typeof mtu !== 'number' || mtu <= room) return [];
    return [
      complain(['port', n, 'mtu'], `at most ${room}, what an mbuf of ${mbufSize} bytes holds (engine.mbuf_size)`, mtu),
    ];
  });
  return [...unique(root, 'port', 'name'), ...unique(root, 'port', 'iface'), ...tooLarge];
}

/** `acl_in` and `acl_out` of a section's items name an `[[acl]]`. */
function checkAclNames(root: unknown, section: string): Complaint[] {
  const known = namesIn(root, 'acl', 'name');
  return list(root, section).flatMap((item, n) =>
    ['acl_in', 'acl_out'].flatMap((key) => {
      const name = valueAt(item, [key]);
      if (typeof name !== 'string' || known.includes(name)) return [];
      const expected = known.length === 0 ? 'the name of an [[acl]]' : `the name of an [[acl]]: ${known.join(', ')}`;
      return [complain([section, n, key], expected, name, closest(name, known))];
    }),
  );
}

/** A replication node is one of the NVEs. */
function checkReplicationNodes(root: unknown): Complaint[] {
  const known = namesIn(root, 'nve', 'id');
  return list(root, 'vn').flatMap((item, n) => {
    const delivery = valueAt(item, ['delivery']);
    if (typeof delivery !== 'string' || !delivery.startsWith('nve:') || known.includes(delivery.slice(4))) return [];
    const near = closest(delivery.slice(4), known);
    return [complain(['vn', n, 'delivery'], 'the id of an [[nve]] after "nve:"', delivery, near && `nve:${near}`)];
  });
}

/** By RPC it must be said where the NVE listens. */
function checkProtocol(root: unknown): Complaint[] {
  if (valueAt(root, ['uplink', 'protocol']) !== 'rpc' || valueAt(root, ['nve']) !== undefined) return [];
  return [{ path: ['nve'], at: 'parent', expected: 'socket and link, for uplink.protocol = "rpc"', got: 'nothing' }];
}

/** A VN's packets pass the uplink. */
function checkVnMtu(root: unknown): Complaint[] {
  const uplink = valueAt(root, ['uplink', 'port']);
  const port = list(root, 'port').find((item) => valueAt(item, ['name']) === uplink);
  const limit = valueAt(port, ['mtu']) ?? 1500;
  return list(root, 'vn').flatMap((item, n) => {
    const mtu = valueAt(item, ['mtu']);
    if (typeof mtu !== 'number' || typeof limit !== 'number' || mtu <= limit) return [];
    return [complain(['vn', n, 'mtu'], `at most ${limit}, the MTU of the uplink's port`, mtu)];
  });
}

function checkAccess(root: unknown): Complaint[] {
  const underlays = list(root, 'underlay').map((item) => valueAt(item, ['port']));
  const exception = valueAt(root, ['exception', 'port']);
  const links = list(root, 'access').flatMap((item, n) => {
    const path = ['access', n, 'port'];
    const name = valueAt(item, ['port']);
    const other = underlays.indexOf(name);
    if (name !== undefined && other >= 0)
      return [complain(path, `another port than ${formatPath(['underlay', other, 'port'])}`, name)];
    if (name !== undefined && name === exception)
      return [complain(path, `another port than ${formatPath(['exception', 'port'])}`, name)];
    return checkPortName(root, path);
  });
  return [...links, ...unique(root, 'access', 'port'), ...checkChannels(root), ...checkDomains(root)];
}

/** S-channels are links `PORT.SVID`, and come by CDCP alone. */
function checkChannels(root: unknown): Complaint[] {
  const ports = namesIn(root, 'access', 'port');
  return list(root, 'access').flatMap((item, n): Complaint[] => {
    if (valueAt(item, ['scheme']) !== 's-channel') return withoutChannels(item, n);
    const port = valueAt(item, ['port']);
    const other = ports.findIndex((name) => typeof port === 'string' && isChannelOf(port, name));
    return [
      ...(valueAt(item, ['vdp']) === false
        ? [complain(['access', n, 'vdp'], 'true: under scheme "s-channel" CDCP makes the channels', false)]
        : []),
      ...(other < 0
        ? []
        : [complain(['access', other, 'port'], `another name than that of an S-channel of ${port}`, ports[other])]),
    ];
  });
}

/** Other schemes have no S-channels, whatever is said of them. */
function withoutChannels(item: unknown, n: number): Complaint[] {
  return ['channels', 'svid_pool'].flatMap((key) => {
    const value = valueAt(item, [key]);
    if (value === undefined) return [];
    return [complain(['access', n, key], 'nothing: only a link with scheme = "s-channel" has S-channels', value)];
  });
}

function isChannelOf(port: string, name: string): boolean {
  return name.startsWith(`${port}.`) && /^[0-9]+$/.test(name.slice(port.length + 1));
}

/** Access domains: their links are tagged in one way, and have no VIDs of their own. */
function checkDomains(root: unknown): Complaint[] {
  const names = namesIn(root, 'access_domain', 'name');
  const ports = namesIn(root, 'access', 'port');
  // A link without a domain is one under its own name, and so are its S-channels.
  const taken = list(root, 'access_domain').flatMap((item, n) => {
    const name = valueAt(item, ['name']);
    const port = ports.find((one) => name === one || (typeof name === 'string' && name.startsWith(`${one}.`)));
    return port === undefined
      ? []
      : [complain(['access_domain', n, 'name'], `another name than that of link ${port}`, name)];
  });
  const schemes = new Map<unknown, { scheme: unknown; n: number }>();
  const links = list(root, 'access').flatMap((item, n): Complaint[] => {
    const domain = valueAt(item, ['domain']);
    if (typeof domain !== 'string') return [];
    if (!names.includes(domain)) {
      const expected =
        names.length === 0 ? 'the name of an [[access_domain]]' : `an [[access_domain]]: ${names.join(', ')}`;
      return [complain(['access', n, 'domain'], expected, domain, closest(domain, names))];
    }
    const own = ['vlan_pool', 'reserve'].flatMap((key) => {
      const value = valueAt(item, [key]);
      return value === undefined
        ? []
        : [complain(['access', n, key], `nothing: access domain ${domain} has it`, value)];
    });
    const scheme = valueAt(item, ['scheme']) ?? 'c-tag';
    const first = schemes.get(domain) ?? { scheme, n };
    schemes.set(domain, first);
    if (first.scheme === scheme) return own;
    const expected = `the scheme of access[${first.n}], which is in access domain ${domain} too`;
    return [...own, complain(['access', n, 'scheme'], expected, scheme)];
  });
  return [...unique(root, 'access_domain', 'name'), ...taken, ...links, ...checkReservations(root)];
}

/** In one domain a VID belongs to one VN, and a VN has one VID. */
function checkReservations(root: unknown): Complaint[] {
  return ['access', 'access_domain'].flatMap((section) =>
    list(root, section).flatMap((item, n) => {
      const reserve = valueAt(item, ['reserve']);
      if (!Array.isArray(reserve)) return [];
      return ['vid', 'vn']
        .flatMap((key) => unique({ reserve }, 'reserve', key))
        .map((one) => ({ ...one, path: [section, n, ...one.path] }));
    }),
  );
}

/** The agent's own policy: links that exist, VNs that can be told apart, and some if nobody else knows any. */
function checkAuthorization(root: unknown): Complaint[] {
  const vns: Path = ['authorization', 'vn'];
  const mode = valueAt(root, ['authorization', 'mode']);
  const none =
    mode === 'local' && list(root, vns).length === 0
      ? [
          complain(
            ['authorization', 'mode'],
            '"nva" or "both" where no [[authorization.vn]] says which VNs there are',
            mode,
          ),
        ]
      : [];
  const ports = list(root, 'access').map((item) => valueAt(item, ['port']));
  const known = ports.filter((port) => typeof port === 'string');
  const links = list(root, ['authorization', 'rule']).flatMap((item, n) => {
    const link = valueAt(item, ['link']);
    if (typeof link !== 'string' || known.some((port) => isLinkOf(link, port))) return [];
    const expected = `an access link: ${known.join(', ')}`;
    return [complain(['authorization', 'rule', n, 'link'], expected, link, closest(link, known))];
  });
  return [...none, ...links, ...['name', 'vni', 'id'].flatMap((key) => uniqueAt(root, vns, key))];
}

/** Of two rules for one client only the first would count. */
function checkClients(root: unknown): Complaint[] {
  const clients = valueAt(root, ['rpc', 'tls', 'client']);
  const names = (Array.isArray(clients) ? clients : []).map((client) => valueAt(client, ['name']));
  return names.flatMap((name, n) => {
    const earlier = names.indexOf(name);
    if (name === undefined || earlier === n) return [];
    return [
      complain(['rpc', 'tls', 'client', n, 'name'], `another name than that of rpc.tls.client[${earlier}]`, name),
    ];
  });
}

/** An underlay address belongs to one NVE. */
function checkAddresses(root: unknown): Complaint[] {
  const holder = new Map<unknown, number>();
  return list(root, 'nve').flatMap((item, n) => {
    const addresses = valueAt(item, ['addresses']);
    return (Array.isArray(addresses) ? addresses : []).flatMap((address, i) => {
      const earlier = holder.get(address);
      holder.set(address, n);
      return earlier === undefined
        ? []
        : [complain(['nve', n, 'addresses', i], `an address that nve[${earlier}] does not have`, address)];
    });
  });
}
