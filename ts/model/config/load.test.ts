import { describe, expect, it } from 'vitest';
import { configJsonSchema } from './json-schema.js';
import { parseConfig } from './load.js';
import { type ConfigProblem, formatProblem } from './problems.js';
import type { RoleName } from './references.js';

const AGENT = `[node]
name = "nve1"

[[port]]
name = "access0"
driver = "net_af_xdp"
iface = "access0"

[[port]]
name = "fabric0"
driver = "net_af_xdp"
iface = "fabric0"
mtu = 1600

[[underlay]]
port = "fabric0"
address = "192.0.2.1/24"

[[access]]
port = "access0"

[nva]
endpoints = ["tcp:198.51.100.1:7890"]
`;

const NVA = `[node]
name = "nva"
[listen]
endpoints = ["tcp:127.0.0.1:7890", "unix:/run/nva.sock"]
[[vn]]
name = "blue"
vni = 5001
[[vn]]
name = "red"
vni = 5002
[[nve]]
id = "nve1"
addresses = ["192.0.2.1"]
[[tsi]]
vn = "blue"
tsi = "blue-*"
`;

const TNVE = `[node]
name = "hv1"
[[port]]
name = "uplink0"
driver = "net_af_xdp"
iface = "uplink0"
[uplink]
port = "uplink0"
protocol = "rpc"
[nve]
socket = "/run/splitnve/agent1.sock"
link = "access0"
`;

function problems(role: RoleName, text: string): string[] {
  const result = parseConfig(role, text, 'f.toml');
  if (result.ok) return [];
  expect(result.error.code).toBe('NVE-CFG-002');
  return (result.error.context['problems'] as ConfigProblem[]).map(formatProblem);
}

describe('parseConfig', () => {
  it('fills the defaults and turns text into values', () => {
    const result = parseConfig('agent', AGENT, 'f.toml');
    expect(result).toMatchObject({
      ok: true,
      value: {
        log: { level: 'info' },
        engine: { hugepages: 'auto', memory_mb: 256, mbufs: 16384, pollers: 1, poll: 'sleep', fdb_capacity: 65536 },
        port: [{ mtu: 1500 }, { mtu: 1600 }],
        underlay: [{ address: { ip: '192.0.2.1', prefixLen: 24 }, encaps: ['vxlan'], zero_checksum: false }],
        tunnel: { ttl: 64, ports: [49_152, 65_535], down_hold_ms: 1000 },
        access: [{ port: 'access0', vlan_pool: [{ from: 2, to: 4000 }] }],
        nva: {
          endpoints: [{ address: { kind: 'tcp', host: '198.51.100.1', port: 7890 }, priority: 0, weight: 1 }],
        },
        rpc: { socket: '/run/splitnve/agent.sock' },
      },
    });
    expect(parseConfig('tnve', TNVE, 'f.toml')).toMatchObject({
      ok: true,
      value: { rpc: { socket: '/run/splitnve/tnve.sock' } },
    });
    expect(parseConfig('nva', NVA, 'f.toml')).toMatchObject({
      ok: true,
      value: { vn: [{ name: 'blue', vni: 5001, mtu: 1500 }, { name: 'red' }], listen: { hold_ms: 90000 } },
    });
  });

  const change = (base: string, from: string, to: string): string => {
    expect(base).toContain(from);
    return base.replace(from, to);
  };

  const cases: [what: string, role: RoleName, text: string, expected: string[]][] = [
    [
      'a misspelt key and the one it stands for',
      'agent',
      change(AGENT, 'driver = "net_af_xdp"\niface = "access0"', 'driver = "net_af_xdp"\niface = "access0"\nmut = 1500'),
      [
        'f.toml:8:1: port[0].mut: expected one of the keys name, mtu, driver, iface, got the key "mut"; did you mean "mtu"?',
      ],
    ],
    [
      'a misspelt section, and that the real one is missing',
      'agent',
      change(AGENT, '[underlay]', '[underlya]'),
      [
        'f.toml:1:1: underlay: expected a list, got nothing',
        'f.toml:15:3: underlya: expected one of the keys node, log, engine, port, underlay, route, exception, tunnel, access_domain, access, acl, evb, cdcp, vdp, authorization, store, nva, rpc, got the key "underlya"; did you mean "underlay"?',
      ],
    ],
    [
      'a driver that does not exist',
      'agent',
      change(AGENT, '"net_af_xdp"\niface = "access0"', '"net_afxdp"\niface = "access0"'),
      [
        'f.toml:6:10: port[0].driver: expected "net_af_xdp" or "net_tap" or "net_pcap" or "net_null" or "net_ring" or "net_vhost" or "pci" or "devargs", got "net_afxdp"; did you mean "net_af_xdp"?',
      ],
    ],
    [
      'a driver that is missing',
      'agent',
      change(AGENT, 'driver = "net_af_xdp"\niface = "access0"', 'iface = "access0"'),
      [
        'f.toml:4:1: port[0].driver: expected "net_af_xdp" or "net_tap" or "net_pcap" or "net_null" or "net_ring" or "net_vhost" or "pci" or "devargs", got nothing',
      ],
    ],
    [
      'a number out of range',
      'agent',
      change(AGENT, 'mtu = 1600', 'mtu = 16000'),
      [
        'f.toml:13:7: port[1].mtu: expected a whole number from 576 to 9600, got 16000',
        'f.toml:13:7: port[1].mtu: expected at most 2026, what an mbuf of 2176 bytes holds (engine.mbuf_size), got 16000',
      ],
    ],
    [
      'a fraction where a whole number stands',
      'agent',
      change(AGENT, 'mtu = 1600', 'mtu = 1600.5'),
      ['f.toml:13:7: port[1].mtu: expected a whole number from 576 to 9600, got 1600.5'],
    ],
    [
      'text where a number stands',
      'agent',
      change(AGENT, 'mtu = 1600', 'mtu = "1600"'),
      ['f.toml:13:7: port[1].mtu: expected a whole number from 576 to 9600, got "1600"'],
    ],
    [
      'a port that does not exist, with the near one',
      'agent',
      change(AGENT, 'port = "fabric0"', 'port = "fabrik0"'),
      [
        'f.toml:16:8: underlay[0].port: expected the name of a [[port]]: access0, fabric0, got "fabrik0"; did you mean "fabric0"?',
      ],
    ],
    [
      'an access link on the underlay port',
      'agent',
      change(AGENT, '[[access]]\nport = "access0"', '[[access]]\nport = "fabric0"'),
      ['f.toml:20:8: access[0].port: expected another port than underlay[0].port, got "fabric0"'],
    ],
    [
      'addresses twice, and what IPv4 has not',
      'agent',
      change(
        AGENT,
        '[[access]]\n',
        `[[underlay]]
port = "fabric0"
address = "192.0.2.1/25"
zero_checksum = true
encaps = ["vxlan", "vxlan"]
[[access]]
acl_in = "web"
`,
      ),
      [
        'f.toml:21:11: underlay[1].address: expected another address than that of underlay[0], got "192.0.2.1"',
        'f.toml:22:17: underlay[1].zero_checksum: expected nothing: IPv4 takes packets without a checksum anyway, got true',
        'f.toml:23:10: underlay[1].encaps: expected "vxlan" and "geneve" in order of preference, each at most once, got the list ["vxlan","vxlan"]',
        'f.toml:25:10: access[0].acl_in: expected the name of an [[acl]], got "web"',
      ],
    ],
    [
      'gateways that are nowhere, an exception path that leads nowhere',
      'agent',
      change(
        AGENT,
        '[[access]]\n',
        `[[route]]
prefix = "2001:db8::/32"
gateways = ["192.0.2.254"]
[[route]]
prefix = "10.1.2.3/8"
gateways = []
[[route]]
prefix = "198.51.100.0/24"
gateways = ["192.0.2.254", "192.0.3.1", "192.0.2.1"]
[exception]
underlay = "fabrik0"
port = "access0"
[[access]]
`,
      ),
      [
        'f.toml:21:13: route[0].gateways[0]: expected a gateway of the same family as the prefix, got "192.0.2.254"',
        'f.toml:23:10: route[1].prefix: expected a prefix such as "10.0.0.0/8" or "2001:db8::/32", its other bits 0, got "10.1.2.3/8"',
        'f.toml:24:12: route[1].gateways: expected at least one gateway, got an empty list',
        'f.toml:27:28: route[2].gateways[1]: expected another host on the link of an [[underlay]] address, got "192.0.3.1"',
        'f.toml:27:41: route[2].gateways[2]: expected another host on the link of an [[underlay]] address, got "192.0.2.1"',
        'f.toml:29:12: exception.underlay: expected the port of an [[underlay]]: fabric0, got "fabrik0"; did you mean "fabric0"?',
        'f.toml:30:8: exception.port: expected a port with the driver net_tap, got "access0"',
        'f.toml:32:8: access[0].port: expected another port than exception.port, got "access0"',
      ],
    ],
    [
      'an exception path whose packets do not fit the link',
      'agent',
      change(
        AGENT,
        '[[access]]\n',
        `[[port]]
name = "mgmt0"
driver = "net_tap"
iface = "mgmt0"
mtu = 1700
[exception]
underlay = "fabric0"
port = "mgmt0"
[[access]]
`,
      ),
      ['f.toml:26:8: exception.port: expected a port with an MTU of at most 1600, that of fabric0, got "mgmt0"'],
    ],
    [
      'tunnels of another kind, and what no tenant can keep to',
      'agent',
      change(AGENT, '[[access]]\n', 'tunnel = 1\n[[access]]\npolice = { bits_per_second = 0 }\nstorm = 1000\n'),
      [
        'f.toml:19:1: underlay[0].tunnel: expected one of the keys port, address, vlan, encaps, weight, zero_checksum, checksum, geneve_options, got the key "tunnel"',
        'f.toml:21:10: access[0].police.burst_bytes: expected a whole number from 1 to 4294967295, got nothing',
        'f.toml:21:30: access[0].police.bits_per_second: expected a whole number from 1 to 9007199254740991, got 0',
        'f.toml:22:9: access[0].storm: expected a table, got 1000',
      ],
    ],
    [
      'S-channels: VDP that is off, another link of their name, limits, addresses',
      'agent',
      AGENT.replace(
        'port = "access0"\n',
        'port = "access0"\nscheme = "s-channel"\nvdp = false\nchannels = 167\nsvid_pool = "1-9"\necp_address = "02:00:00:00:00:01"\n[[access]]\nport = "access0.101"\n',
      ).replace('name = "fabric0"', 'name = "access0.101"\ndriver = "net_ring"\n[[port]]\nname = "fabric0"'),
      [
        'f.toml:25:7: access[0].vdp: expected true: under scheme "s-channel" CDCP makes the channels, got false',
        'f.toml:26:12: access[0].channels: expected a whole number from 1 to 166, got 167',
        'f.toml:27:13: access[0].svid_pool: expected VIDs from 2 to 4094 as ranges that rise, such as "2-4000" or "10,20-29", got "1-9"',
        'f.toml:28:15: access[0].ecp_address: expected "nearest-customer-bridge", "unicast" or a group MAC address such as "01:80:c2:00:00:0e", got "02:00:00:00:00:01"',
        'f.toml:30:8: access[1].port: expected another name than that of an S-channel of access0, got "access0.101"',
      ],
    ],
    [
      'S-channels under another scheme',
      'agent',
      AGENT.replace('port = "access0"\n', 'port = "access0"\nchannels = 3\nsvid_pool = "100-109"\n'),
      [
        'f.toml:21:12: access[0].channels: expected nothing: only a link with scheme = "s-channel" has S-channels, got 3',
        'f.toml:22:13: access[0].svid_pool: expected nothing: only a link with scheme = "s-channel" has S-channels, got "100-109"',
      ],
    ],
    [
      'access domains: unknown ones, links with VIDs of their own, names of links',
      'agent',
      change(
        AGENT,
        '[[access]]\nport = "access0"',
        '[[access_domain]]\nname = "rack1"\n[[access_domain]]\nname = "access0.7"\n[[access]]\nport = "access0"\ndomain = "rack2"\n[[access]]\nport = "fabric0"\ndomain = "rack1"\nvlan_pool = "2-9"\nreserve = [{ vn = "blue", vid = 7 }, { vn = "blue", vid = 8 }, { vn = 5001, vid = 8 }]\nscheme = "s-tag"\n[[access]]\nport = "access1"\ndomain = "rack1"',
      ),
      [
        'f.toml:22:8: access_domain[1].name: expected another name than that of link access0, got "access0.7"',
        'f.toml:25:10: access[0].domain: expected an [[access_domain]]: rack1, access0.7, got "rack2"; did you mean "rack1"?',
        'f.toml:27:8: access[1].port: expected another port than underlay[0].port, got "fabric0"',
        'f.toml:29:13: access[1].vlan_pool: expected nothing: access domain rack1 has it, got "2-9"',
        'f.toml:30:11: access[1].reserve: expected nothing: access domain rack1 has it, got the list [{"vn":"blue","vid":7},{"vn":"blue","vid":8},{"vn":5001,"vid":8}]',
        'f.toml:30:45: access[1].reserve[1].vn: expected another vn than that of reserve[0], got "blue"',
        'f.toml:30:83: access[1].reserve[2].vid: expected another vid than that of reserve[1], got 8',
        'f.toml:32:1: access[2].scheme: expected the scheme of access[1], which is in access domain rack1 too, got "c-tag"',
        'f.toml:33:8: access[2].port: expected the name of a [[port]]: access0, fabric0, got "access1"; did you mean "access0"?',
      ],
    ],
    [
      'values of access links',
      'agent',
      change(
        AGENT,
        'port = "access0"',
        'port = "access0"\nscheme = "q-in-q"\ntenant_tags = [0]\nexplicit_vids = true\nmax_vsis = 0\nreserve = [{ vn = "blue", vid = 1 }]',
      ),
      [
        'f.toml:21:10: access[0].scheme: expected "c-tag" or "s-tag" or "s-channel", got "q-in-q"',
        'f.toml:22:16: access[0].tenant_tags[0]: expected "refuse", "pass", "strip", or a list of VIDs from 1 to 4094, got 0',
        'f.toml:23:17: access[0].explicit_vids: expected "accept" or "refuse", got true',
        'f.toml:24:12: access[0].max_vsis: expected a whole number from 1 to 4096, got 0',
        'f.toml:25:33: access[0].reserve[0].vid: expected a VID from 2 to 4094, got 1',
      ],
    ],
    [
      'two ports of one name',
      'agent',
      change(AGENT, 'name = "fabric0"\n', 'name = "access0"\n'),
      [
        'f.toml:10:8: port[1].name: expected another name than that of port[0], got "access0"',
        'f.toml:16:8: underlay[0].port: expected the name of a [[port]]: access0, access0, got "fabric0"',
      ],
    ],
    [
      'the network address as a host',
      'agent',
      change(AGENT, '192.0.2.1/24', '192.0.2.0/24'),
      [
        'f.toml:17:11: underlay[0].address: expected the address and prefix length of a host, such as "192.0.2.1/24" or "2001:db8::1/64", got "192.0.2.0/24"',
      ],
    ],
    [
      'an address without its prefix length',
      'agent',
      change(AGENT, '192.0.2.1/24', '192.0.2.1'),
      [
        'f.toml:17:11: underlay[0].address: expected the address and prefix length of a host, such as "192.0.2.1/24" or "2001:db8::1/64", got "192.0.2.1"',
      ],
    ],
    [
      'a VLAN pool that runs backwards',
      'agent',
      change(AGENT, '[[access]]\nport = "access0"', '[[access]]\nport = "access0"\nvlan_pool = "100-50"'),
      [
        'f.toml:21:13: access[0].vlan_pool: expected VIDs from 2 to 4094 as ranges that rise, such as "2-4000" or "10,20-29", got "100-50"',
      ],
    ],
    [
      'an endpoint with a key that there is not, and a priority beyond all',
      'agent',
      change(
        AGENT,
        '["tcp:198.51.100.1:7890"]',
        '[{ address = "tcp:198.51.100.1:7890", prio = 1 }, { address = "x", priority = 256 }]',
      ),
      [
        'f.toml:23:51: nva.endpoints[0].prio: expected one of the keys address, priority, weight, got the key "prio"',
        'f.toml:23:75: nva.endpoints[1].address: expected an endpoint "tls:HOST:PORT", "tcp:ADDRESS:PORT" or "unix:/PATH", got "x"',
        'f.toml:23:91: nva.endpoints[1].priority: expected a whole number from 0 to 255, got 256',
      ],
    ],
    [
      'an endpoint with TLS without certificates',
      'agent',
      change(AGENT, 'tcp:198.51.100.1:7890', 'tls:nva.example.org:7890'),
      ['f.toml:23:14: nva.endpoints[0]: expected a [nva.tls] with the certificates, got none'],
    ],
    [
      'an endpoint without scheme',
      'agent',
      change(AGENT, 'tcp:198.51.100.1:7890', '198.51.100.1:7890'),
      [
        'f.toml:23:14: nva.endpoints[0]: expected an endpoint "tls:HOST:PORT", "tcp:ADDRESS:PORT" or "unix:/PATH", got "198.51.100.1:7890"',
      ],
    ],
    [
      'filter formats that cannot be',
      'agent',
      `${AGENT}[[vdp.filter_format]]
code = 4
fields = ["mac", "vid"]
[[vdp.filter_format]]
code = 5
fields = ["group_id", "mac"]
[[vdp.filter_format]]
code = 5
fields = ["vid", "ip"]
`,
      [
        'f.toml:25:8: vdp.filter_format[0].code: expected a whole number from 5 to 255, got 4',
        'f.toml:29:10: vdp.filter_format[1].fields: expected different fields out of "group_id", "mac", "ipv4" or "ipv6", and "vid", which is needed, got the list ["group_id","mac"]',
        'f.toml:31:8: vdp.filter_format[2].code: expected another code than that of vdp.filter_format[1], got 5',
        'f.toml:32:18: vdp.filter_format[2].fields[1]: expected "group_id" or "mac" or "ipv4" or "ipv6" or "vid", got "ip"',
      ],
    ],
    [
      'rules that cannot hold',
      'agent',
      `${AGENT}[authorization]
mode = "local"
[[authorization.rule]]
verdict = "alow"
link = "acces0"
[[authorization.rule]]
verdict = "deny"
link = "access0.101"
vsi_manager = "a name that is too long"
`,
      [
        'f.toml:25:8: authorization.mode: expected "nva" or "both" where no [[authorization.vn]] says which VNs there are, got "local"',
        'f.toml:27:11: authorization.rule[0].verdict: expected "allow" or "deny", got "alow"; did you mean "allow"?',
        'f.toml:28:8: authorization.rule[0].link: expected an access link: access0, got "acces0"; did you mean "access0"?',
        'f.toml:32:15: authorization.rule[1].vsi_manager: expected 1 to 16 printable characters, or 32 hexadecimal digits, got "a name that is too long"',
      ],
    ],
    [
      'an empty list',
      'agent',
      change(AGENT, '["tcp:198.51.100.1:7890"]', '[]'),
      ['f.toml:23:13: nva.endpoints: expected at least one endpoint, got an empty list'],
    ],
    [
      'a misspelt word, a wrong type, an unknown key and a missing section in one go',
      'agent',
      change(
        change(AGENT, '[nva]\nendpoints = ["tcp:198.51.100.1:7890"]\n', ''),
        '[node]',
        '[log]\nlevel = "inof"\n[engine]\npollers = "two"\npol = "busy"\n[node]',
      ),
      [
        'f.toml:1:1: nva: expected a table, got nothing',
        'f.toml:2:9: log.level: expected "trace" or "debug" or "info" or "warn" or "error" or "fatal", got "inof"; did you mean "info"?',
        'f.toml:4:11: engine.pollers: expected a whole number from 1 to 64, got "two"',
        'f.toml:5:1: engine.pol: expected one of the keys hugepages, memory_mb, mbufs, mbuf_size, pollers, poll, fdb_capacity, cpus, extra_eal, got the key "pol"; did you mean "poll"?',
      ],
    ],
    [
      'a table where a list of tables stands',
      'agent',
      change(AGENT, '[[access]]', '[access]'),
      ['f.toml:19:1: access: expected a list, got a table'],
    ],
    [
      'a file of another role',
      'nva',
      TNVE,
      [
        'f.toml:1:1: listen: expected a table, got nothing',
        'f.toml:3:3: port: expected one of the keys node, log, listen, acl, vn, nve, tsi, store, rpc, got the key "port"',
        'f.toml:7:2: uplink: expected one of the keys node, log, listen, acl, vn, nve, tsi, store, rpc, got the key "uplink"',
        'f.toml:10:1: nve: expected a list, got a table',
      ],
    ],
    [
      'two VNs of one VNI, a VNI of 25 bits',
      'nva',
      change(change(NVA, 'vni = 5002', 'vni = 5001'), 'name = "blue"\nvni', 'name = "blue"\nid = 0\nvni'),
      [
        'f.toml:7:6: vn[0].id: expected a whole number from 1 to 4294967295, got 0',
        'f.toml:11:7: vn[1].vni: expected another vni than that of vn[0], got 5001',
      ],
    ],
    [
      'an address of two NVEs and a multicast MAC in a rule',
      'nva',
      `${NVA}macs = ["01:00:5e:00:00:01"]\n[[nve]]\nid = "nve2"\naddresses = ["192.0.2.1"]\n`,
      [
        'f.toml:17:9: tsi[0].macs[0]: expected a unicast MAC address such as "02:00:00:00:00:01", got "01:00:5e:00:00:01"',
        'f.toml:20:14: nve[1].addresses[0]: expected an address that nve[0] does not have, got "192.0.2.1"',
      ],
    ],
    [
      'VNs that name what is not there, and a delivery of no kind',
      'nva',
      change(
        change(NVA, 'name = "blue"\n', 'name = "blue"\nacl_in = "wep"\ndelivery = "nve:nve2"\n'),
        'name = "red"\n',
        'name = "red"\ndelivery = "192.0.2.9"\nunknown_unicast = "flod"\n[[acl]]\nname = "web"\n[[vn]]\nname = "x"\n',
      ),
      [
        'f.toml:7:10: vn[0].acl_in: expected the name of an [[acl]]: web, got "wep"; did you mean "web"?',
        'f.toml:8:12: vn[0].delivery: expected the id of an [[nve]] after "nve:", got "nve:nve2"; did you mean "nve:nve1"?',
        'f.toml:10:1: vn[1].vni: expected a whole number from 1 to 16777215, got nothing',
        'f.toml:12:12: vn[1].delivery: expected "head-end", a multicast group such as "239.1.1.1", or "nve:NAME" for a replication node, got "192.0.2.9"',
        'f.toml:13:19: vn[1].unknown_unicast: expected "drop" or "query" or "flood", got "flod"; did you mean "flood"?',
      ],
    ],
    [
      'rules that can fit nothing',
      'nva',
      `${NVA}[[acl]]\nname = "a"\nrule = [\n${[
        'src = "10.0.0.1/24"',
        'src = "10.0.0.0/24", dst = "2001:db8::/32"',
        'protocol = "icmp", dst_ports = 80',
        'dst_ports = "80-79"',
        'protocol = "tpc"',
        'ether_type = 0x0806, dst = "10.0.0.1/32"',
        'protocol = "tcp", dst_ports = "80-443", src = "10.0.0.0/8", src_mac = "01:00:5e:00:00:01"',
      ]
        .map((rule) => `{ action = "deny", ${rule} },\n`)
        .join('')}]\n`,
      [
        'f.toml:20:26: acl[0].rule[0].src: expected a prefix such as "10.0.0.0/8" or "2001:db8::/32", its other bits 0, got "10.0.0.1/24"',
        'f.toml:21:47: acl[0].rule[1].dst: expected a prefix of the same family as that of src, got "2001:db8::/32"',
        'f.toml:22:51: acl[0].rule[2].dst_ports: expected a rule for protocol 6, 17, 132, got 80',
        'f.toml:23:32: acl[0].rule[3].dst_ports: expected a port or a range of ports, such as "53" or "8000-8080", got "80-79"',
        'f.toml:24:31: acl[0].rule[4].protocol: expected "icmp", "tcp", "udp", "icmpv6", "sctp" or a number from 0 to 255, got "tpc"',
        'f.toml:25:33: acl[0].rule[5].ether_type: expected nothing, or 0x0800 with such a prefix, got 2054',
      ],
    ],
    [
      'a socket path that is too long',
      'tnve',
      change(TNVE, '/run/splitnve/agent1.sock', `/${'x'.repeat(107)}`),
      [`f.toml:11:10: nve.socket: expected an absolute path of at most 107 bytes, got "/${'x'.repeat(75)}...`],
    ],
    [
      'an uplink that is no port',
      'tnve',
      change(TNVE, '[uplink]\nport = "uplink0"', '[uplink]\nport = 7'),
      [
        'f.toml:8:8: uplink.port: expected a name of 1 to 64 characters of "A-Z a-z 0-9 _ . : @ / -" that begins with a letter, digit or "_", got 7',
      ],
    ],
    [
      'what is missing for RPC',
      'tnve',
      change(TNVE, '[nve]\nsocket = "/run/splitnve/agent1.sock"\nlink = "access0"\n', ''),
      ['f.toml:1:1: nve: expected socket and link, for uplink.protocol = "rpc", got nothing'],
    ],
    [
      'VNs with a name or a VNI of another, or larger than the uplink',
      'tnve',
      `${change(TNVE, TNVE.slice(TNVE.indexOf('protocol')), '')}${[
        ['blue', 5001, 1500],
        ['red', 5001, 1501],
        ['blue', 5002, 1400],
      ]
        .map(([name, vni, mtu]) => `[[vn]]\nname = "${name}"\nvni = ${vni}\nmtu = ${mtu}\n`)
        .join('')}`,
      [
        'f.toml:15:7: vn[1].vni: expected another vni than that of vn[0], got 5001',
        "f.toml:16:7: vn[1].mtu: expected at most 1500, the MTU of the uplink's port, got 1501",
        'f.toml:18:8: vn[2].name: expected another name than that of vn[0], got "blue"',
      ],
    ],
    [
      'errors of syntax in several lines',
      'agent',
      change(change(AGENT, 'name = "nve1"', 'name = nve1"'), 'mtu = 1600', 'mtu = 16 00'),
      [
        expect.stringMatching(/^f\.toml:2:\d+: expected valid TOML \(.+\), got "name = nve1\\""$/),
        expect.stringMatching(/^f\.toml:13:\d+: expected valid TOML \(.+\), got "mtu = 16 00"$/),
      ],
    ],
    [
      'a broken header',
      'agent',
      change(AGENT, '[underlay]', '[underlay'),
      [expect.stringMatching(/^f\.toml:15:\d+: expected valid TOML/)],
    ],
    ['a section twice', 'agent', `${AGENT}[nva]\n`, [expect.stringMatching(/^f\.toml:24:\d+: expected valid TOML/)]],
  ];

  it.each(cases)('tells %s', (_, role, text, expected) => {
    expect(problems(role, text)).toEqual(expected);
  });

  it('tells all that an empty file lacks', () => {
    expect(problems('agent', '')).toEqual(
      ['node', 'port', 'underlay', 'access', 'nva'].map((key) =>
        expect.stringMatching(new RegExp(`^f\\.toml:1:1: ${key}: expected a (table|list), got nothing$`)),
      ),
    );
  });

  it('is not misled by keys that every JavaScript object has', () => {
    expect(problems('tnve', `${TNVE}[constructor]\nx = 1\n`)).toEqual([
      expect.stringContaining('got the key "constructor"'),
    ]);
    expect(problems('tnve', `${TNVE}["__proto__"]\nx = 1\n`)).toEqual([
      expect.stringContaining('got the key "__proto__"'),
    ]);
  });
});

describe('configJsonSchema', () => {
  it('asks for what has no default, and forbids unknown keys', () => {
    expect(configJsonSchema('tnve')).toMatchObject({
      required: ['node', 'port', 'uplink'],
      additionalProperties: false,
    });
  });
});
