import { HypervisorClient, NveError } from 'splitnve/hypervisor';

const client = new HypervisorClient({ socket: process.argv[2] ?? '/run/splitnve/agent.sock', client: 'example' });
// Also after a connection was lost. Nothing is asked again by itself: `list` says what is so now.
client.on('connected', ({ name }) => console.log(`connected to ${name}`));
client.on('tsi', ({ tsi, cause }) => console.log(`${tsi}: ${cause}`));
client.start();
try {
  const vm = { tsi: 'vm7-eth0', link: 'access0' };
  const macs = ['02:00:00:00:00:07'];
  const { tag, mtu, gateway } = await client.attach({ ...vm, vn: 'blue', macs }, { deadlineMs: 5_000 });
  console.log(JSON.stringify({ tag, mtu, gateway }));
  await client.detach(vm);
} catch (error) {
  if (error instanceof NveError) console.error(`${error.code}: ${error.message}. ${error.hint}`);
  process.exitCode = 1;
} finally {
  client.close();
}
