// Commands as the positional arrays of docs/engine.md ("apply"), their order inside a load that needs several batches, and the
// engine's answer to a batch.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { type IpAddr, ipToBytes, macToBytes } from '#model';
import { encodeRule } from './acl.js';
import { badReply, Reader } from './reader.js';
import {
  BATCH_COMMANDS,
  type Command,
  type Dest,
  type PortKind,
  type Refusal,
  type Selector,
  type TagPolicy,
  type VapFlags,
} from './types.js';

const GUARD = 1;
const UPLINK = 2;
const REFLECT = 4;
const LEARN = 8;

export function encodeCommand(command: Command): unknown[] {
  switch (command.op) {
    case 'PortAdd':
      return [1, command.port, command.name, command.mtu, encodeKind(command.kind)];
    case 'PortDel':
      return [2, command.port];
    case 'VnSet':
      return [3, command.vn, command.vni, command.mtu, ...optional(command.options)];
    case 'VnDel':
      return [4, command.vn];
    case 'VapSet':
      return [
        5,
        command.vap,
        command.vn,
        command.port,
        encodeSelector(command.selector),
        encodeFlags(command),
        encodeTags(command.tags ?? { kind: 'refuse' }),
        ...optional(command.options),
      ];
    case 'VapDel':
      return [6, command.vap];
    case 'UnderlaySet':
      return [7, command.port, ipToBytes(command.ip), command.prefixLen, ...optional(command.options)];
    case 'UnderlayDel':
      return [8, command.port, ipToBytes(command.ip)];
    case 'NextHopSet':
      return [9, command.nh, ipToBytes(command.remote), command.encap, command.contextId, ...optional(command.options)];
    case 'NextHopDel':
      return [10, command.nh];
    case 'FdbSet':
      return [
        11,
        command.vn,
        macToBytes(command.mac),
        encodeDest(command.dest),
        ...(command.ageS === undefined ? [] : [command.ageS]),
      ];
    case 'FdbDel':
      return [12, command.vn, macToBytes(command.mac)];
    case 'FloodSet':
      return [13, command.vn, command.dests.map(encodeDest)];
    case 'GroupSet':
      return [17, command.group, command.members.map(({ nh, weight }) => [nh, weight])];
    case 'GroupDel':
      return [18, command.group];
    case 'NextHopAlive':
      return [19, command.nh, command.alive];
    case 'SourcesSet':
      return [14, command.vn, command.ips.map((ip: IpAddr) => ipToBytes(ip))];
    case 'NeighbourSet':
      return [15, command.port, ipToBytes(command.ip), macToBytes(command.mac)];
    case 'NeighbourDel':
      return [16, command.port, ipToBytes(command.ip)];
    case 'RouteSet':
      return [20, ipToBytes(command.prefix), command.prefixLen, command.gateways.map((ip: IpAddr) => ipToBytes(ip))];
    case 'RouteDel':
      return [21, ipToBytes(command.prefix), command.prefixLen];
    case 'ExceptionSet':
      return [22, command.port, command.tap];
    case 'McastSet':
      return [23, command.vn, command.port, ipToBytes(command.group)];
    case 'McastDel':
      return [24, command.vn, ipToBytes(command.group)];
    case 'AclSet':
      return [25, command.acl, command.default, command.rules.map(encodeRule)];
    case 'AclDel':
      return [26, command.acl];
    case 'PoliceSet':
      return command.rate === null
        ? [29, command.class, null]
        : [29, command.class, command.rate.perSecond, command.rate.burst];
    case 'PairSet':
      return [27, command.vn, ipToBytes(command.ip), macToBytes(command.mac)];
    case 'PairDel':
      return [28, command.vn, ipToBytes(command.ip)];
    case 'PortAdmin':
      return [30, command.port, command.up];
  }
}

/** The map of options, if any is set, with the engine's spelling of the keys: `vlan_id` for `vlanId`. */
function optional(options: object | undefined): Record<string, unknown>[] {
  const set = Object.entries(options ?? {}).filter(([, value]) => value !== undefined);
  if (set.length === 0) return [];
  const spelled = (key: string) => key.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
  return [
    Object.fromEntries(set.map(([key, value]) => [spelled(key), Array.isArray(value) ? value.map(wide) : value])),
  ];
}

/** A whole number that the encoder would make a float of: it holds 32 bits to be the most. */
function wide(value: unknown): unknown {
  return typeof value === 'number' && value > 0xffff_ffff && Number.isInteger(value) ? BigInt(value) : value;
}

function encodeKind(kind: PortKind): unknown[] {
  switch (kind.driver) {
    case 'net_tap':
      return ['net_tap', kind.iface, kind.mac === null ? null : macToBytes(kind.mac)];
    case 'net_af_xdp':
      return ['net_af_xdp', kind.iface];
    case 'net_pcap':
      return ['net_pcap', kind.rxFile, kind.txFile, kind.infiniteRx];
    case 'net_null':
      return ['net_null', kind.packetSize, kind.noRx];
    case 'net_ring':
      return ['net_ring'];
    case 'net_vhost':
      return ['net_vhost', kind.path];
    case 'pci':
      return ['pci', kind.address];
    case 'devargs':
      return ['devargs', kind.devargs];
  }
}

function encodeSelector(selector: Selector): unknown[] {
  switch (selector.kind) {
    case 'port':
    case 'untagged':
      return [selector.kind];
    case 'c-tag':
    case 's-tag':
      return [selector.kind, selector.vid];
    case 's-tag+c-tag':
      return [selector.kind, selector.sVid, selector.cVid];
  }
}

function encodeTags(tags: TagPolicy): unknown[] {
  return tags.kind === 'list' ? [tags.kind, [...tags.vids]] : [tags.kind];
}

function encodeFlags(flags: VapFlags): number {
  return (
    (flags.guard ? GUARD : 0) | (flags.uplink ? UPLINK : 0) | (flags.reflect ? REFLECT : 0) | (flags.learn ? LEARN : 0)
  );
}

function encodeDest(dest: Dest): unknown[] {
  switch (dest.kind) {
    case 'vap':
      return [0, dest.vap];
    case 'nh':
      return [1, dest.nh];
    case 'group':
      return [2, dest.group];
  }
}

export function decodeFlags(bits: number): VapFlags {
  return {
    guard: (bits & GUARD) !== 0,
    uplink: (bits & UPLINK) !== 0,
    reflect: (bits & REFLECT) !== 0,
    learn: (bits & LEARN) !== 0,
  };
}

/** Objects rank before what names them; deletions come after all else, in reverse. */
const RANK: Readonly<Record<Command['op'], number>> = {
  PortAdd: 0,
  PortAdmin: 1,
  PoliceSet: 2,
  UnderlaySet: 3,
  NeighbourSet: 4,
  RouteSet: 5,
  ExceptionSet: 6,
  AclSet: 7,
  VnSet: 8,
  McastSet: 9,
  VapSet: 10,
  NextHopSet: 11,
  GroupSet: 12,
  NextHopAlive: 13,
  SourcesSet: 14,
  FdbSet: 15,
  FloodSet: 16,
  PairSet: 17,
  PairDel: 18,
  FdbDel: 19,
  GroupDel: 20,
  NextHopDel: 21,
  McastDel: 22,
  VapDel: 23,
  VnDel: 24,
  AclDel: 25,
  RouteDel: 26,
  NeighbourDel: 27,
  UnderlayDel: 28,
  PortDel: 29,
};

const RANKS = 1 + Math.max(...Object.values(RANK));
/** Commands that are sorted in one turn of the event loop: about a millisecond. */
const SORTED_AT_ONCE = 50_000;

/**
 * The commands in batches that may be applied one after the other. Inside a batch the engine itself keeps the order. However many they
 * are, the event loop is never held for long: it turns between slices.
 */
export async function* batchesOf(commands: readonly Command[], size = BATCH_COMMANDS): AsyncGenerator<Command[]> {
  if (commands.length <= size) {
    if (commands.length > 0) yield [...commands];
    return;
  }
  const ranks: Command[][] = Array.from({ length: RANKS }, () => []);
  for (let start = 0; start < commands.length; start += SORTED_AT_ONCE) {
    for (const command of commands.slice(start, start + SORTED_AT_ONCE)) ranks[RANK[command.op]]?.push(command);
    await nextTurn();
  }
  let batch: Command[] = [];
  for (const rank of ranks)
    for (let start = 0; start < rank.length; ) {
      const end = start + size - batch.length;
      batch = [...batch, ...rank.slice(start, end)];
      start = end;
      if (batch.length < size) continue;
      yield batch;
      batch = [];
    }
  if (batch.length > 0) yield batch;
}

/** `[epoch, batch_id, applied, [[index, code, context], …]]`: what was refused, and nothing if the batch was applied. */
export function decodeResult(
  value: unknown,
  sent: { epoch: bigint; batchId: bigint; commands: readonly Command[] },
): Refusal[] {
  const reader = new Reader(value, 'result');
  const epoch = reader.u64('epoch');
  if (epoch !== sent.epoch) throw badReply('result.epoch', epoch, `${sent.epoch}`);
  const batchId = reader.u64('batch_id');
  if (batchId !== sent.batchId) throw badReply('result.batch_id', batchId, `${sent.batchId}`);
  const applied = reader.bool('applied');
  const refused = reader.list('refused', (item, at): Refusal => {
    const row = new Reader(item, at);
    const index = row.uint('index', sent.commands.length - 1);
    const command = sent.commands[index];
    if (command === undefined) throw badReply(at, index, 'the index of a command');
    return { command, code: row.code('code'), context: row.map('context') };
  });
  if (applied !== (refused.length === 0))
    throw badReply('result.applied', applied, `${!applied}, with ${refused.length} refused`);
  return refused;
}
