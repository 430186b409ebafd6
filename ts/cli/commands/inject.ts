// splitnve inject: a raw frame out of a port of a running agent or tNVE.

import type { Command } from 'commander';
import { examples } from '../help.js';
import { parseFrame } from '../input.js';
import type { Io } from '../io.js';
import { type RpcOptions, runSilently, withRpcOptions } from '../rpc.js';

export function registerInject(program: Command, io: Io): void {
  withRpcOptions(
    program
      .command('inject')
      .argument('<port>', 'the port, by its name')
      .argument('<frame>', 'the frame from its destination MAC on, in hexadecimal; "-" reads it from standard input'),
  )
    .description('Send a raw Ethernet frame out of a port, as it is: for tests. It passes no table and no check.')
    .summary('send a raw frame out of a port')
    .helpGroup('Looking and changing:')
    .addHelpText(
      'after',
      examples(
        'splitnve inject access0 "ffffffffffff 020000000001 0806 0001 0800 0604 0001"',
        'xxd -p frame.bin | splitnve inject uplink0 - --socket /run/splitnve/tnve.sock',
      ),
    )
    .action(async (port: string, frame: string, options: RpcOptions) => {
      const bytes = parseFrame(frame === '-' ? (await io.stdin()).toString('latin1') : frame);
      await runSilently(io, options, (client) => client.inject(port, bytes));
    });
}
