// A tenant's server, run in its namespace: `node tenant-server.js NAME`. TCP port 7000 answers with the tenant's name; UDP port 7007
// sends every datagram back as it came.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';

const name = process.argv[2] ?? 'nobody';

createServer((socket) => {
  socket.on('error', () => socket.destroy());
  socket.end(`${name}\n`);
}).listen(7000, '0.0.0.0', () => console.log('listening'));

const echo = createSocket({ type: 'udp4', recvBufferSize: 1 << 20, sendBufferSize: 1 << 20 });
echo.on('message', (message, { port, address }) => echo.send(message, port, address, () => undefined));
echo.bind(7007, '0.0.0.0');
