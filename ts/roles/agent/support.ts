// What `splitnve show support` writes besides the tables: configuration, versions, the last lines of the log.

import { release } from 'node:os';
import type { EngineInfo } from '#dataplane';
import { type ResultOf, version } from '#hypervisor';
import { recentLog } from '../recent-log.js';

const SECRET = /^(key|psk|password|passphrase|secret|token)$/i;

export function supportFacts(config: object, { dpdk, hugepages, schema }: EngineInfo): ResultOf<'support'> {
  return {
    versions: {
      splitnve: version(),
      node: process.versions.node,
      dpdk,
      engine_schema: schema,
      kernel: release(),
      hugepages,
    },
    uptime_s: Math.round(process.uptime()),
    config: withoutSecrets(config) as Record<string, unknown>,
    log: recentLog.lines(),
  };
}

/** Values under such names are left out, wherever they stand. A file is told by its path, never by its content. */
export function withoutSecrets(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSecrets);
  if (typeof value === 'bigint') return `${value}`;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, one]) => [name, SECRET.test(name) ? '(left out)' : withoutSecrets(one)]),
  );
}
