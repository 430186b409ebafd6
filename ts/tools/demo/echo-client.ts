// Sends datagrams of random content to a tenant's echo, one of each size, and compares what comes back: `node echo-client.js ADDRESS`.
// Sizes: every Ethernet frame from 64 bytes to 1518 (FCS included; an IP packet of 1500 bytes) with DF set, then some that the
// kernel must cut into fragments. Nothing is sent twice. Exits 1 and says what is missing or altered.

import { randomFillSync } from 'node:crypto';
import { createSocket } from 'node:dgram';

/** Ethernet, IPv4 and UDP headers and the FCS. */
const HEADERS = 14 + 20 + 8 + 4;
const WHOLE = Array.from({ length: 1518 - 64 + 1 }, (_, n) => 64 + n - HEADERS);
const IN_FRAGMENTS = [1473, 2000, 2953, 4000, 6000, 8000, 16_000, 32_000, 65_507];
const WINDOW = 8;
const ANSWER_MS = 2_000;

const address = process.argv[2] ?? '';
const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20, sendBufferSize: 1 << 20 });
const sizes = [...WHOLE, ...IN_FRAGMENTS];
const open = new Map<number, Buffer>();
let next = 0;
let alive: NodeJS.Timeout | undefined;

function send(): void {
  while (open.size < WINDOW && next < sizes.length) {
    const size = sizes[next++] ?? 0;
    const content = randomFillSync(Buffer.alloc(size));
    open.set(size, content);
    socket.send(content, 7007, address, (error) => {
      if (error) fail(`${size} bytes of payload cannot be sent: ${error.message}`);
    });
  }
  clearTimeout(alive);
  alive = setTimeout(() => fail(`no answer to payloads of ${[...open.keys()].join(', ')} bytes`), ANSWER_MS);
}

function fail(what: string): void {
  console.log(what);
  process.exit(1);
}

socket.on('message', (message) => {
  const sent = open.get(message.length);
  if (sent === undefined) return fail(`an answer of ${message.length} bytes, which nobody waits for`);
  if (!sent.equals(message)) return fail(`${message.length} bytes came back altered`);
  open.delete(message.length);
  if (open.size === 0 && next === sizes.length) {
    console.log(
      `${WHOLE.length} sizes of frame, ${IN_FRAGMENTS.length} of fragmented packets up to 65535 bytes: unaltered`,
    );
    process.exit(0);
  }
  send();
});
socket.bind(0, send);
