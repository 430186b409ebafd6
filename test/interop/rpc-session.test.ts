// The session in hex of docs/rpc.md, from the bytes that a real agent (its engine and its NVA are fakes) takes and gives.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { err, isVn, nveError, ok, parseConfig, unwrap, type VnInfo } from '#model';
import { decodeRpc, encodeFrame, encodeRpc, FrameDecoder, type RpcRequest } from '#wire';
import { Agent } from '../../ts/roles/agent/agent.js';
import { FakeEngine } from '../../ts/roles/testing/fake-engine.js';
import { FakeNva } from '../../ts/roles/testing/fake-nva.js';
import { silentLog } from '../../ts/roles/testing/silent.js';

const PAGE = new URL('../../docs/rpc.md', import.meta.url);
const BEGIN = '<!-- session: UPDATE_DOCS=1 npx vitest run test/interop/rpc-session -->\n';
const END = '<!-- end of session -->\n';

const CONFIG = `
node.name = "nve1"
rpc.socket = "SOCKET"
nva.endpoints = ["tcp:198.51.100.1:7890"]
underlay = [{ port = "fabric0", address = "192.0.2.1/24" }]
port = [{ name = "fabric0", driver = "net_ring", mtu = 1600 }, { name = "access0", driver = "net_ring" }]
access = [{ port = "access0", vlan_pool = "100-199", vdp = false }]
`;
const blue = { vn: 1, name: 'blue', vni: 5001, mtu: 1450, gateway: '10.0.0.254' } as unknown as VnInfo;

const VM = { tsi: 'vm1', link: 'access0' };
const ADDRESSES = { macs: ['02:00:00:00:00:01'], ips: ['10.0.0.1'] };
const SESSION: readonly [string, Record<string, unknown>][] = [
  ['hello', { versions: [1], client: 'doc' }],
  ['watch', { topics: ['transition'] }],
  ['tsi.attach', { vn: 'green', ...VM, ...ADDRESSES }],
  ['tsi.attach', { vn: 'blue', ...VM, ...ADDRESSES }],
  ['tsi.list', { cursor: null }],
  ['tsi.detach', VM],
];

const folder = mkdtempSync(join(tmpdir(), 'splitnve-rpc-session-'));
const socketPath = join(folder, 'agent.sock');
let agent: Agent;
beforeAll(async () => {
  agent = await Agent.start({
    config: unwrap(parseConfig('agent', CONFIG.replace('SOCKET', socketPath), 'test.toml')),
    engine: new FakeEngine(),
    log: silentLog().log,
    makeNvaClient: (_, handlers) => {
      const nva = new FakeNva(handlers);
      nva.verdict = ({ vn }) => (isVn(blue, vn) ? ok(blue) : err(nveError('NVE-NVA-001', { vn })));
      return nva;
    },
    kernel: { check: () => undefined, bringUp: async () => undefined },
    onFailure: (error) => expect.unreachable(String(error)),
  });
});
afterAll(async () => {
  await agent.close();
  rmSync(folder, { recursive: true });
});

/** Frames as hex, 32 octets a line, each under what it says. */
function shown(direction: '→' | '←', payload: Uint8Array): string {
  const frame = unwrap(encodeFrame(payload));
  const { type, ...said } = unwrap(decodeRpc(payload));
  const lines =
    Buffer.from(frame)
      .toString('hex')
      .match(/.{1,64}/g) ?? [];
  return [`${direction} ${type} ${JSON.stringify(said)}`, ...lines.map((line) => `  ${line}`)].join('\n');
}

/** Asks one thing after the other, and shows whatever crosses the socket in its order. */
async function record(): Promise<string> {
  const socket = connect(socketPath);
  const decoder = new FrameDecoder();
  const text: string[] = [];
  let answered = (): void => undefined;
  socket.on('data', (chunk) => {
    for (const payload of unwrap(decoder.push(chunk))) {
      text.push(shown('←', payload));
      if (unwrap(decodeRpc(payload)).type === 'response') answered();
    }
  });
  for (const [i, [method, params]] of SESSION.entries()) {
    const request: RpcRequest = { type: 'request', id: i + 1, method, params, deadlineMs: 5_000 };
    const payload = unwrap(encodeRpc(request));
    text.push(shown('→', payload));
    await new Promise<void>((resolve) => {
      answered = resolve;
      socket.write(unwrap(encodeFrame(payload)));
    });
  }
  socket.destroy();
  return `\`\`\`\n${text.join('\n')}\n\`\`\`\n`;
}

it('is what docs/rpc.md shows', async () => {
  const page = readFileSync(PAGE, 'utf8');
  const [before, rest = ''] = page.split(BEGIN);
  const [, after] = rest.split(END);
  expect(after, `the marks of the session in docs/rpc.md: ${BEGIN}${END}`).toBeDefined();
  const now = `${before}${BEGIN}${await record()}${END}${after}`;
  if (process.env['UPDATE_DOCS'] === '1') writeFileSync(PAGE, now);
  expect(readFileSync(PAGE, 'utf8'), BEGIN).toBe(now);
});
