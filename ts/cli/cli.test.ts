import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Handlers, RpcServer, type TraceRow, type TsiListRow } from '#hypervisor';
import { nveError } from '#model';
import { Authority } from '../../test/lib/certificates.js';
import { pcapOf } from '../../test/lib/pcap.js';
import { renderDocs } from './docs.js';
import { makeProgram, run } from './program.js';

const ROW = {
  tsi: 'blue-1',
  vn: 'blue',
  link: 'access0',
  state: 'activated',
  tag: { kind: 'c-tag', vid: 100 },
  macs: ['02:00:00:00:00:01'],
  ips: [],
  mtu: 1500,
  cause: null,
} as unknown as TsiListRow;

let directory = '';
let socket = '';
let servers: RpcServer[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'splitnve-cli-'));
  socket = join(directory, 'x.sock');
  servers = [];
});
afterEach(async () => {
  for (const server of servers) await server.close();
  rmSync(directory, { recursive: true });
});

async function serve(handlers: Handlers, role: 'agent' | 'tnve' | 'nva' = 'agent'): Promise<void> {
  servers.push(await RpcServer.listen({ socket, role, name: 'nve1', handlers }));
}

/** Runs a command line as a shell would split it. */
async function cli(line: string, stdin = ''): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const args = line
    .split(' ')
    .filter((word) => word !== '')
    .map((word) => word.replace('SOCKET', socket).replace('DIR', directory));
  const io = {
    out: (text: string) => void out.push(text),
    octets: async () => undefined,
    err: (text: string) => void err.push(text),
    stdin: async () => Buffer.from(stdin),
  };
  const code = await run(args, io);
  return { code, out: out.join(''), err: err.join('') };
}

describe('usage', () => {
  it.each([
    ['shw', "error: unknown command 'shw'\nfix: Did you mean show? See also --help.\n"],
    ['tsi lst', "error: unknown command 'lst'\nfix: Did you mean list? See also --help.\n"],
    ['tsi list --jsn', "error: unknown option '--jsn'\nfix: Did you mean --json? See also --help.\n"],
    ['tsi detach', "error: missing required argument 'tsi'\nfix: See --help of the command.\n"],
    ['tsi attach x --vn blue', "error: required option '--mac <mac>' not specified\nfix: See --help of the command.\n"],
    [
      'tsi attach x --vn blue --mac 1',
      'error: exactly one of --link, --tap, --vhost and --pci is needed\nfix: See --help of the command.\n',
    ],
    [
      'tsi attach x --vn blue --mac 1 --link l --netns n',
      'error: --netns goes with --tap\nfix: See --help of the command.\n',
    ],
    [
      'tsi list --timeout soon',
      "error: option '--timeout <ms>' argument 'soon' is invalid. Expected milliseconds from 1 to 999999.\nfix: See --help of the command.\n",
    ],
    ['agent', "error: required option '-c, --config <file>' not specified\nfix: See --help of the command.\n"],
    [
      'agent -c x --fault wrong-vn',
      "error: option '--fault <name>' argument 'wrong-vn' is invalid. Allowed choices are wrong-vni.\nfix: See --help of the command.\n",
    ],
    [
      'inject p xyz',
      'error: the frame is not hexadecimal: "x" at character 1 is no digit\nfix: See --help of the command.\n',
    ],
  ])('splitnve %s', async (line, err) => {
    expect(await cli(line)).toEqual({ code: 2, out: '', err });
  });

  it('of a group alone prints its help', async () => {
    const { code, err } = await cli('tsi');
    expect(code).toBe(2);
    expect(err).toContain('Usage: splitnve tsi');
  });

  it('--version prints the version of the package', async () => {
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    expect(await cli('--version')).toEqual({ code: 0, out: `${version}\n`, err: '' });
  });
});

describe('--help', () => {
  const io = {
    out: () => undefined,
    octets: async () => undefined,
    err: () => undefined,
    stdin: async () => Buffer.alloc(0),
  };
  const names: string[] = [];
  const collect = (command: ReturnType<typeof makeProgram>, path: string): void => {
    for (const child of command.commands) {
      if (child.name() === 'help') continue;
      names.push(`${path} ${child.name()}`.trim());
      collect(child, `${path} ${child.name()}`);
    }
  };
  collect(makeProgram(io), '');

  it.each(names)('%s', async (name) => {
    const { code, out, err } = await cli(`${name} --help`);
    expect([code, err]).toEqual([0, '']);
    expect(out).toContain(`Usage: splitnve ${name}`);
    const isGroup = ['show', 'trace', 'tsi', 'vdp', 'vn'].includes(name);
    if (!isGroup) expect(out).toMatch(/\nExamples:\n {2}\S/);
  });

  it('is what docs/cli.md says', () => {
    const file = new URL('../../docs/cli.md', import.meta.url);
    const made = renderDocs(makeProgram(io));
    if (process.env['UPDATE_DOCS'] === '1') writeFileSync(file, made);
    expect(readFileSync(file, 'utf8')).toBe(made);
  });
});

describe('data', () => {
  it('comes as aligned columns, or as JSON', async () => {
    await serve({
      'tsi.list': () => ({
        rows: [
          ROW,
          { ...ROW, tsi: 'b' as never, state: 'authorizing', tag: null, mtu: null, cause: 'NVE-NVA-001: no VN b' },
        ],
        cursor: null,
      }),
    });
    expect((await cli('tsi list --socket SOCKET')).out).toBe(
      [
        'TSI     VN    LINK     STATE        TAG         MTU  GATEWAY  MACS               IPS  PORT  CAUSE',
        'blue-1  blue  access0  activated    c-tag 100  1500  -        02:00:00:00:00:01  -    -     -',
        'b       blue  access0  authorizing  -             -  -        02:00:00:00:00:01  -    -     NVE-NVA-001: no VN b',
        '',
      ].join('\n'),
    );
    const { out } = await cli('tsi list --socket SOCKET --json');
    expect(JSON.parse(out)).toMatchObject([
      { tsi: 'blue-1', tag: { kind: 'c-tag', vid: 100 } },
      { tsi: 'b', tag: null },
    ]);
  });

  it('of attach is the row; the port is made from --tap and --netns', async () => {
    const seen: unknown[] = [];
    const attach: Handlers['tsi.attach'] = (params) => {
      seen.push(params);
      return { ...ROW, iface: 'blue1', netns: 'ns' };
    };
    await serve({ 'tsi.attach': attach }, 'tnve');
    const line =
      'tsi attach blue-1 --socket SOCKET --vn blue --mac 02-00-00-00-00-01 --mac 02:00:00:00:00:02 --ip 10.0.0.1 --tap blue1 --netns ns --json';
    const { code, out } = await cli(line);
    expect([code, JSON.parse(out)]).toMatchObject([0, [{ tsi: 'blue-1', iface: 'blue1' }]]);
    expect(seen).toEqual([
      {
        vn: 'blue',
        tsi: 'blue-1',
        macs: ['02:00:00:00:00:01', '02:00:00:00:00:02'],
        ips: ['10.0.0.1'],
        link: { kind: 'net_tap', iface: 'blue1', netns: 'ns' },
      },
    ]);
  });

  it('of associate only asks for the tag', async () => {
    await serve({ 'tsi.associate': () => ({ ...ROW, state: 'associated' }) });
    const { out } = await cli('tsi associate blue-1 --socket SOCKET --vn blue --mac 02:00:00:00:00:01 --link access0');
    expect(out).toContain('associated');
  });

  it('of drops leaves out what never occurred, unless asked', async () => {
    const rows = [
      { port: 'access0', reason: 'source_guard', packets: 3 },
      { port: 'access0', reason: 'untagged', packets: 0 },
    ];
    await serve({ 'show.drops': () => ({ rows, cursor: null }) });
    expect((await cli('show drops --socket SOCKET')).out).toBe(
      'PORT     REASON        PACKETS\naccess0  source_guard        3\n',
    );
    expect(JSON.parse((await cli('show drops --socket SOCKET --json --all')).out)).toEqual(rows);
  });

  it('traces a frame, or each of a capture, and says where a frame is wrong', async () => {
    const row = (bytes: string): TraceRow => ({
      outcome: 'dropped',
      detail: 'untagged',
      meaning: 'No tag.',
      frame: { port: 'access0', bytes },
      sent: [],
      drops: [{ reason: 'untagged', packets: 1 }],
      learned: [],
      steps: [{ step: 'port', facts: { port: 'access0', up: true, row: null } }],
    });
    const calls: unknown[] = [];
    const trace: Handlers['trace'] = ({ frame, ...where }) => {
      calls.push({ ...where, length: frame.length });
      return row(Buffer.from(frame).toString('hex'));
    };
    await serve({ trace });
    const text = 'packet 1, 3 bytes\n  port  port=access0 up=yes row=none\n  => dropped: untagged. No tag.\n';
    expect(await cli('trace packet 0102:03 --port access0 --socket SOCKET')).toEqual({ code: 0, out: text, err: '' });
    expect(JSON.parse((await cli('trace packet 010203 --vap 7 --json --socket SOCKET')).out)).toEqual([
      { number: 1, length: 3, ...row('010203') },
    ]);
    writeFileSync(join(directory, 'two.pcap'), pcapOf([Buffer.alloc(60), Buffer.alloc(1400)], { snap: 64 }));
    const { out } = await cli('trace packet DIR/two.pcap --port access0 --socket SOCKET');
    expect(out.match(/^packet .*$/gm)).toEqual([
      'packet 1, 60 bytes',
      'packet 2, 64 bytes, of 1400 that were on the wire',
    ]);
    expect(calls.map((call) => JSON.stringify(call))).toEqual([
      '{"port":"access0","length":3}',
      '{"vap":7,"length":3}',
      '{"port":"access0","length":60}',
      '{"port":"access0","length":64}',
    ]);
    writeFileSync(join(directory, 'no.pcap'), '');
    writeFileSync(join(directory, 'none.pcap'), pcapOf([]));
    writeFileSync(join(directory, 'cut.pcap'), pcapOf([Buffer.alloc(60)]).subarray(0, 70));
    const refused = async (line: string) => (await cli(`trace packet ${line} --socket SOCKET`)).err.split('\n')[0];
    expect(await refused('DIR/no.pcap --port p')).toMatch(/^error: cannot read .*no.pcap: it is empty/);
    expect(await refused('DIR/none.pcap --port p')).toMatch(/none.pcap: it holds no packets/);
    expect(await refused('DIR/cut.pcap --port p')).toMatch(/pcap.frame 1/);
    expect(await refused('DIR/absent.pcap --port p')).toMatch(/absent.pcap: .*no such file/i);
    expect(await refused('- --port p')).toMatch(/standard input: it is empty/);
    expect(await refused('010 --port p')).toMatch(/at character 3 a byte lacks its second digit/);
    expect(await refused('01 --port p --vap 7')).toMatch(/either --port or --vap/);
    expect(await refused('01')).toMatch(/either --port or --vap/);
    expect(await refused('01 --vap x')).toMatch(/the number of a VAP/);
  });

  it('goes in as a frame in hexadecimal, from the line or from standard input', async () => {
    const frames: string[] = [];
    const inject: Handlers['inject'] = ({ port, frame }) => {
      frames.push(`${port} ${Buffer.from(frame).toString('hex')}`);
      return {};
    };
    await serve({ inject });
    const hex = 'ffffffffffff0200000000010806';
    expect(await cli(`inject access0 ${hex} --socket SOCKET`)).toEqual({ code: 0, out: '', err: '' });
    expect(await cli('inject access0 - --socket SOCKET', 'ff:ff:ff:ff:ff:ff\n02 00 00 00 00 01 08 06\n')).toMatchObject(
      { code: 0 },
    );
    expect(frames).toEqual([`access0 ${hex}`, `access0 ${hex}`]);
  });

  it('of VNs', async () => {
    const vn = { vn: 'green', id: 5, vni: 5003, mtu: 1400, gateway: null, members: [], hosts: [] } as never;
    const seen: unknown[] = [];
    const add: Handlers['vn.add'] = (params) => {
      seen.push(params);
      return vn;
    };
    await serve({ 'vn.add': add, 'vn.list': () => [vn], 'vn.del': () => ({}) }, 'nva');
    expect((await cli('vn add green --vni 5003 --mtu 1400 --socket SOCKET')).out).toContain('green   5  5003  1400');
    expect(seen).toEqual([{ name: 'green', vni: 5003, mtu: 1400 }]);
    expect(await cli('vn del green --socket SOCKET')).toEqual({ code: 0, out: '', err: '' });
    expect(JSON.parse((await cli('vn list --socket SOCKET --json')).out)).toEqual([vn]);
  });
});

describe('VNs on the links of an agent', () => {
  it('are connected, listed and disconnected', async () => {
    const key = { vn: 'blue', link: 'access0' };
    const row = { ...key, tag: ROW.tag, mtu: 1450, gateway: '10.0.0.254', held: true, tsis: 0 } as never;
    const seen: unknown[] = [];
    await serve({
      'vn.connect': (params) => {
        seen.push(params);
        return row;
      },
      'vn.connections': () => [row],
      'vn.disconnect': (params) => {
        seen.push(params);
        return {};
      },
    });
    const columns =
      'VN    LINK     TAG         MTU  GATEWAY     HELD  TSIS\nblue  access0  c-tag 100  1450  10.0.0.254  yes      0\n';
    expect(await cli('vn connect blue --link access0 --socket SOCKET')).toMatchObject({ code: 0, out: columns });
    expect((await cli('vn connections --socket SOCKET')).out).toBe(columns);
    expect(JSON.parse((await cli('vn connections --json --socket SOCKET')).out)).toEqual([row]);
    expect(await cli('vn disconnect blue --link access0 --json --socket SOCKET')).toMatchObject({ out: '{}\n' });
    expect(seen).toEqual([key, key]);
    expect(await cli('vn connect blue --socket SOCKET')).toMatchObject({
      code: 2,
      err: expect.stringContaining('--link'),
    });
  });
});

describe('errors', () => {
  it('say what, why and what to do, with an exit code of their own', async () => {
    await serve({
      'tsi.detach': () => {
        throw nveError('NVE-TSI-001', { tsi: 'x', link: 'access0' });
      },
      'tsi.list': () => new Promise(() => undefined),
    });
    expect(await cli('tsi detach x --link access0 --socket SOCKET')).toEqual({
      code: 3,
      out: '',
      err: expect.stringMatching(/^error: no TSI x on link access0 \(NVE-TSI-001\)\nfix: .+\n$/),
    });
    expect(await cli('tsi list --timeout 20 --socket SOCKET')).toMatchObject({
      code: 75,
      err: expect.stringContaining('NVE-RPC-004'),
    });
    expect(await cli('vn list --socket SOCKET')).toMatchObject({
      code: 2,
      err: expect.stringContaining('unknown method vn.list'),
    });
    expect(await cli('show vn --socket DIR/nobody.sock')).toMatchObject({
      code: 69,
      err: expect.stringMatching(/^error: cannot reach .*no such socket.*\n(cause: .*\n)?fix: /),
    });
  });

  it('of a configuration name every mistake', async () => {
    const file = join(directory, 'bad.toml');
    writeFileSync(file, '[node]\nnam = "x"\n[engine]\npollers = 0\n');
    const { code, err } = await cli('agent --check -c DIR/bad.toml');
    expect(code).toBe(78);
    expect(err.split('\n')).toEqual([
      `error: ${file} has 7 mistake(s) (NVE-CFG-002)`,
      expect.stringContaining(`cause: ${file}:1:1: node.name: expected a name`),
      ...['port', 'underlay', 'access', 'nva'].map((key) =>
        expect.stringContaining(`cause: ${file}:1:1: ${key}: expected`),
      ),
      expect.stringContaining(
        `cause: ${file}:2:1: node.nam: expected one of the keys name, got the key "nam"; did you mean "name"?`,
      ),
      expect.stringContaining(`cause: ${file}:4:11: engine.pollers: expected a whole number from 1 to 64, got 0`),
      expect.stringMatching(/^fix: /),
      '',
    ]);
    expect(await cli('agent --check -c DIR/none.toml')).toMatchObject({
      code: 78,
      err: expect.stringContaining('NVE-CFG-001'),
    });
  });

  it('of a good configuration are none', async () => {
    const profile = new URL('../../firmware-config/generic-vm/', import.meta.url).pathname;
    expect(await cli(`agent --check -c ${profile}agent1.toml`)).toMatchObject({ code: 0, err: '' });
    expect(await cli(`tnve --check -c ${profile}tnve1.toml`)).toMatchObject({ code: 0, err: '' });
    expect(await cli(`nva --check -c ${profile}nva.toml`)).toMatchObject({ code: 0, err: '' });
  });
});

describe('an agent over TLS', () => {
  const TLS = '--tls 127.0.0.1:PORT --ca DIR/ca.pem --cert DIR/hv1.crt --key DIR/hv1.key';
  let port = 0;

  beforeEach(async () => {
    const authority = new Authority(directory, 'ca');
    authority.issue('hv1', { cn: 'hv1' });
    new Authority(directory, 'stranger').issue('stranger', { cn: 'hv1' });
    const server = await RpcServer.listen({
      socket,
      role: 'agent',
      name: 'nve1',
      handlers: {
        'tsi.list': () => ({ rows: [ROW], cursor: null }),
        'tsi.suspend': () => ROW,
        'tsi.migrate': () => ROW,
      },
      tls: {
        ...authority.issue('agent', { ips: ['127.0.0.1'] }),
        listen: { host: '127.0.0.1', port: 0 },
        client: [{ name: 'hv1', links: ['access0'] }],
      },
    });
    servers.push(server);
    port = server.tlsPort ?? 0;
  });
  const tls = (line: string, options = TLS) => cli(`${line} ${options.replace('PORT', `${port}`)}`);

  it('is asked as on its socket', async () => {
    const { code, out, err } = await tls('tsi list --json');
    expect([code, err]).toEqual([0, '']);
    expect(JSON.parse(out)).toEqual([ROW]);
    expect(await tls('tsi migrate blue-1 --from access0')).toMatchObject({ code: 0 });
  });

  it.each([
    [
      'tsi suspend blue-1 --link access1',
      TLS,
      77,
      /hv1 may not use link access1 \(NVE-RPC-011\)\nfix: Name another link/,
    ],
    ['tsi list', TLS.replace('hv1.key', 'agent.key'), 78, /agent\.key as key: it is not the key .*hv1\.crt/],
    ['tsi list', TLS.replace('hv1.crt', 'nope.crt'), 78, /nope\.crt as certificate: ENOENT/],
    ['tsi list', TLS.replace('ca.pem', 'stranger.pem'), 77, /not of the CA in .*stranger\.pem/],
    ['tsi list', TLS.replaceAll('hv1.', 'stranger.'), 77, /does not accept the client's certificate: it is not of/],
    ['tsi list', '--tls 127.0.0.1:PORT --ca DIR/ca.pem', 2, /--tls needs --cert as well/],
    ['tsi list', '--tls 127.0.0.1', 2, /Expected a name or an address, and a port/],
  ])('%s %s fails with a remedy', async (line, options, code, text) => {
    const result = await tls(line, options);
    expect(result).toMatchObject({ code, out: '' });
    expect(result.err).toMatch(text);
    expect(result.err).toMatch(/\nfix: \S/);
  });
});
