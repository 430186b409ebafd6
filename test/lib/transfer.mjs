// TCP with verified content: each side sends the same number of bytes that only it sends, and says what hash it received.
//
//   node transfer.mjs serve PORT NAME [ADDRESS]          prints "listening", serves on every IPv4 address, or this one, until stdin ends
//   node transfer.mjs fetch PORT NAME ADDRESS BYTES      prints hashes: {"sent", "peerGot", "peer": name, "peerSent", "got"}
//
// On the wire, from both sides: name and byte count as a line of JSON, the bytes, and the hash of what came as a line.
import { createCipheriv, createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';

const [mode, port, name, address, bytes] = process.argv.slice(2);

/** The bytes that `who` sends: a key stream, so that nothing lost, doubled or swapped goes unnoticed. @param {string} who @param {number} count */
function* stream(who, count) {
  const cipher = createCipheriv('aes-128-ctr', createHash('md5').update(who).digest(), Buffer.alloc(16));
  for (let sent = 0; sent < count; ) {
    const chunk = cipher.update(Buffer.alloc(Math.min(16_384, count - sent)));
    sent += chunk.length;
    yield chunk;
  }
}

/** @param {import('node:net').Socket} socket @param {number} count */
async function send(socket, count) {
  const hash = createHash('sha256');
  socket.write(`${JSON.stringify({ name, count })}\n`);
  for (const chunk of stream(`${name}`, count)) {
    hash.update(chunk);
    if (!socket.write(chunk)) await once(socket, 'drain');
  }
  return hash.digest('hex');
}

/** Reads the peer's line, its bytes, and, after `answer` is called with their hash, its verdict on ours. @param {import('node:net').Socket} socket */
async function* receive(socket) {
  let buffered = Buffer.alloc(0);
  const chunks = socket[Symbol.asyncIterator]();
  const more = async () => {
    const { value, done } = await chunks.next();
    if (done) throw new Error('the peer ended early');
    buffered = Buffer.concat([buffered, value]);
  };
  const line = async () => {
    while (!buffered.includes(10)) await more();
    const end = buffered.indexOf(10);
    const text = buffered.subarray(0, end).toString();
    buffered = buffered.subarray(end + 1);
    return text;
  };
  const hello = JSON.parse(await line());
  yield hello;
  const hash = createHash('sha256');
  for (let left = hello.count; left > 0; ) {
    if (buffered.length === 0) await more();
    const part = buffered.subarray(0, left);
    hash.update(part);
    left -= part.length;
    buffered = buffered.subarray(part.length);
  }
  yield hash.digest('hex');
  yield await line();
}

if (mode === 'serve') {
  const server = createServer(async (socket) => {
    socket.on('error', () => {});
    const reader = receive(socket);
    const hello = (await reader.next()).value;
    const [, got] = await Promise.all([send(socket, hello.count), reader.next()]);
    socket.write(`${got.value}\n`);
    await reader.next();
    socket.end();
  });
  server.listen(Number(port), address ?? '0.0.0.0', () => console.log('listening'));
  process.stdin.resume().on('end', () => process.exit(0));
} else {
  const socket = connect(Number(port), address);
  const reader = receive(socket);
  const sending = send(socket, Number(bytes));
  const peer = (await reader.next()).value;
  const got = (await reader.next()).value;
  const sent = await sending;
  socket.write(`${got}\n`);
  const peerGot = (await reader.next()).value;
  socket.end();
  const expected = createHash('sha256');
  for (const chunk of stream(peer.name, peer.count)) expected.update(chunk);
  console.log(JSON.stringify({ sent, peerGot, peer: peer.name, got, peerSent: expected.digest('hex') }));
}
