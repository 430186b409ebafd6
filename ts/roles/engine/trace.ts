// `trace`: the engine's answer with the names that the role knows. It explains nothing of its own.

import type { Engine, Selector, TraceFact, VapId } from '#dataplane';
import type { ParamsOf, TraceRow } from '#hypervisor';
import { formatTag, ipFromBytes, macFromBytes, nveError, type VnId, type VnName } from '#model';
import { behindTags } from '#protocol';
import { type PortNames, portIdOf } from './ports.js';
import { tagOfSelector } from './tags.js';

/** What only the role knows. */
export interface TraceNames {
  readonly ports: PortNames;
  vnName(vn: VnId): VnName | null;
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

export async function traceFrame(
  engine: Engine,
  names: TraceNames,
  { port, vap, frame }: ParamsOf<'trace'>,
): Promise<TraceRow> {
  const arrived =
    vap === undefined ? { port: portIdOf(names.ports, port ?? ''), frame } : await fromTenant(engine, vap, frame);
  const { outcome, detail, meaning, frames, drops, learned, steps } = await engine.trace(arrived.port, arrived.frame);
  const bytesOf = (one: { port: number; frame: Uint8Array }) => ({
    port: names.ports.name(one.port),
    bytes: hex(one.frame),
  });
  return {
    outcome,
    detail,
    meaning,
    frame: bytesOf(arrived),
    sent: frames.map(bytesOf),
    drops: [...drops],
    learned: learned.map(({ vap, vn, mac }) => ({ vap, vn: names.vnName(vn), mac })),
    steps: steps.map(({ step, facts }) => ({
      step,
      facts: Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, shown(name, fact, names)])),
    })),
  };
}

/** The frame as it arrives at the VAP's port: with the tags that select the VAP. */
async function fromTenant(engine: Engine, vap: VapId, frame: Uint8Array) {
  const row = (await engine.dump('vaps')).find((one) => one.vap === vap);
  if (row === undefined) throw nveError('NVE-ENG-005', { object: `vap ${vap}` });
  return { port: row.port, frame: behindTags(frame, tagsOf(row.selector)) };
}

function tagsOf(selector: Selector): { kind: 'c-tag' | 's-tag'; vid: number }[] {
  switch (selector.kind) {
    case 'port':
    case 'untagged':
      return [];
    case 'c-tag':
    case 's-tag':
      return [{ kind: selector.kind, vid: selector.vid }];
    case 's-tag+c-tag':
      return [
        { kind: 's-tag', vid: selector.sVid },
        { kind: 'c-tag', vid: selector.cVid },
      ];
  }
}

/** Ids of ports and VNs become names, bytes become an address or hexadecimal; destinations and selectors are said in words. */
function shown(name: string, fact: TraceFact, names: TraceNames): string | number | boolean | null {
  if (name === 'port' && typeof fact === 'number') return names.ports.name(fact);
  if (name === 'vn' && typeof fact === 'number') return names.vnName(fact as VnId) ?? fact;
  if (fact instanceof Uint8Array) return address(fact) ?? hex(fact);
  if (!Array.isArray(fact)) return fact as string | number | boolean | null;
  return wordsOf(fact);
}

function address(bytes: Uint8Array): string | null {
  if (bytes.length === 6) return okOr(macFromBytes(bytes));
  return bytes.length === 4 || bytes.length === 16 ? okOr(ipFromBytes(bytes)) : null;
}

const okOr = (result: { ok: true; value: string } | { ok: false }): string | null => (result.ok ? result.value : null);

const DESTINATIONS = ['vap', 'nh', 'group'];

function wordsOf([first, ...rest]: readonly (number | string)[]): string {
  if (typeof first === 'number') return [DESTINATIONS[first] ?? first, ...rest].join(' ');
  const [a, b] = rest;
  if (first === 's-tag+c-tag') return `${formatTagOf({ kind: first, sVid: a, cVid: b } as Selector)}`;
  return `${formatTagOf({ kind: first, vid: a } as Selector)}`;
}

function formatTagOf(selector: Selector): string {
  const tag = tagOfSelector(selector);
  return tag === null ? 'untagged' : formatTag(tag);
}
