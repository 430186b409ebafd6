// Sections that more than one role has: the node itself, its log, its engine, the engine's ports, EVB.
// Every default stands here and nowhere else; docs/configuration.md and the JSON Schema repeat them.

import { z } from 'zod';
import {
  ifaceField,
  intField,
  linkNameField,
  macField,
  nveIdField,
  pathField,
  pciField,
  socketField,
} from './fields.js';

export const nodeSection = z.strictObject({
  name: nveIdField.describe('The name of this node. An agent is known to the NVA by it (its NVE id).'),
});

export const logSection = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal'])
      .default('info')
      .describe('The least severe messages to write. The log goes to standard error, one JSON object a line.'),
  })
  .prefault({})
  .describe('What is logged.');

export const engineSection = z
  .strictObject({
    hugepages: z
      .enum(['auto', 'off'])
      .default('auto')
      .describe('"auto": hugepages where the machine has reserved some, else ordinary memory; "off": ordinary memory.'),
    memory_mb: intField(64, 1_048_576)
      .default(256)
      .describe("Memory that the engine takes for packet buffers and DPDK's own needs, in MiB."),
    mbufs: intField(1024, 16_777_216).default(16_384).describe('Packet buffers.'),
    mbuf_size: intField(1024, 65_535).default(2176).describe('Bytes of a packet buffer, headroom of 128 included.'),
    pollers: intField(1, 64).default(1).describe('Threads that forward.'),
    poll: z
      .enum(['sleep', 'busy'])
      .default('sleep')
      .describe('"sleep": a poller without work sleeps briefly; "busy": it spins, for the lowest latency.'),
    fdb_capacity: intField(64, 16_777_216).default(65_536).describe('Rows of the FDB, over all VNs.'),
    cpus: z
      .array(intField(0, 65_535))
      .min(1)
      .max(64)
      .optional()
      .describe('CPUs for the pollers; by default those that the process may use.'),
    extra_eal: z
      .array(z.string().max(256))
      .max(32)
      .default([])
      .describe("More arguments for DPDK's EAL, passed through unchecked."),
  })
  .prefault({})
  .describe('The engine, which forwards.');

export const mtuField = intField(576, 9600);

const portCommon = {
  name: linkNameField.describe('The name under which this file, the RPC and the command line know the port.'),
  mtu: mtuField.default(1500).describe('The largest IP packet of the port, in bytes; up to two VLAN tags come on top.'),
};

export const portSection = z
  .discriminatedUnion('driver', [
    z.strictObject({
      ...portCommon,
      driver: z
        .literal('net_af_xdp')
        .describe('A kernel interface (veth, or a NIC without a DPDK driver) through AF_XDP.'),
      iface: ifaceField.describe('The kernel interface.'),
    }),
    z.strictObject({
      ...portCommon,
      driver: z
        .literal('net_tap')
        .describe('A TAP interface that is made here; the kernel of this host holds the other end.'),
      iface: ifaceField.describe('The name of the interface to make.'),
      mac: macField.optional().describe('Its MAC address; by default a random one.'),
    }),
    z.strictObject({
      ...portCommon,
      driver: z.literal('net_pcap').describe('Frames from and to pcap files.'),
      rx_file: pathField.optional().describe('The file to read from.'),
      tx_file: pathField.optional().describe('The file to write to.'),
      infinite_rx: z.boolean('true or false').default(false).describe('Read the file over and over.'),
    }),
    z.strictObject({
      ...portCommon,
      driver: z.literal('net_null').describe('Frames from nowhere and to nowhere.'),
      packet_size: intField(60, 9600).default(64).describe('Bytes of a received frame.'),
      no_rx: z.boolean('true or false').default(false).describe('Receive nothing.'),
    }),
    z.strictObject({ ...portCommon, driver: z.literal('net_ring').describe('What is sent is received again.') }),
    z.strictObject({
      ...portCommon,
      driver: z.literal('net_vhost').describe('A virtual machine or container, which connects by vhost-user.'),
      path: socketField.describe('The socket to listen on; its directory must be there.'),
    }),
    z.strictObject({
      ...portCommon,
      driver: z.literal('pci').describe('A function of a NIC, handed to DPDK by vfio-pci or a driver like it.'),
      address: pciField.describe('Its address.'),
    }),
    z.strictObject({
      ...portCommon,
      driver: z.literal('devargs').describe('Any other DPDK device: passed through, untested.'),
      devargs: z.string().min(1).max(512).describe('A device with its arguments, as DPDK writes them.'),
    }),
  ])
  .describe('A port of the engine.');

export const portsSection = z.array(portSection).min(1, 'at least one [[port]]').max(64, 'at most 64 ports');

/** Of two, in units of 10 µs: the TLV has five bits for it. */
const exponentField = intField(0, 31);

export const evbSection = z
  .strictObject({
    retries: intField(0, 7).default(3).describe('R: how often ECP sends again what is not acknowledged.'),
    rte: exponentField.default(10).describe('RTE: ECP waits 10 µs · 2^RTE for an acknowledgement.'),
    rwd: exponentField.default(20).describe('RWD: a VDP command may take 10 µs · 2^RWD.'),
    rka: exponentField
      .default(20)
      .describe('RKA: stations send keep-alives each 10 µs · 2^RKA; about 1.5 times as long without one ends a VSI.'),
  })
  .prefault({})
  .describe(
    'What EVB offers to the other side (IEEE 802.1Q clause D.2.12); of each value the greater of both sides holds.',
  );

export type EvbConfig = z.output<typeof evbSection>;
export type EngineConfig = z.output<typeof engineSection>;
export type PortConfig = z.output<typeof portSection>;
