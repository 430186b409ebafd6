// splitnve tsi watch: what happens to the tenant interfaces, line by line, until a signal. It comes back when the agent does.

import type { Command } from 'commander';
import { HypervisorClient, type TopicData } from '#hypervisor';
import { examples } from '../help.js';
import type { Io } from '../io.js';
import { endpointOf, type RpcOptions, withTlsOptions } from '../rpc.js';
import { tagText } from './show.js';

export function registerTsiWatch(tsi: Command, io: Io): void {
  withTlsOptions(tsi.command('watch'))
    .description(
      'Print each change of state of a tenant interface, and each link that comes or goes, until a signal. With --json one JSON object a line.',
    )
    .summary('print what happens to the interfaces')
    .addHelpText('after', examples('splitnve tsi watch', 'splitnve tsi watch --json | jq .to'))
    .action((options: RpcOptions) => watch(io, options));
}

async function watch(io: Io, options: RpcOptions): Promise<never> {
  const client = new HypervisorClient({ ...endpointOf(options), client: 'splitnve tsi watch' });
  const print = (topic: string, data: object, text: string): void => {
    const time = new Date().toISOString();
    io.out(options.json === true ? `${JSON.stringify({ time, topic, ...data })}\n` : `${time} ${text}\n`);
  };
  client.on('transition', (data) => print('transition', data, transitionText(data)));
  client.on('link', (data) => print('link', data, `link ${data.link} is ${data.up ? 'up' : 'down'}`));
  // If that fails the first time, waiting would hide a mistake.
  await client.hello();
  client.on('disconnected', (error) => io.err(`warning: ${error.message}; trying again\n`));
  client.on('connected', ({ name }) => io.err(`connected to ${name}\n`));
  client.start();
  return new Promise(() => undefined);
}

function transitionText({ tsi, link, vn, from, to, tag, cause }: TopicData<'transition'>): string {
  return `TSI ${tsi} on ${link}, VN ${vn}${tag === null ? '' : `, ${tagText(tag)}`}: ${from} to ${to} (${cause})`;
}
