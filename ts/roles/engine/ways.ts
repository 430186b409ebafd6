// Which way frames to another NVE take, of those that the engine has.

import type { GroupRow, NextHopRow, RemoteDest } from '#dataplane';

/** The next hop that a destination is, or that most flows to a group take now. */
export function nextHopsBehind(
  nextHops: readonly NextHopRow[],
  groups: readonly GroupRow[],
): (dest: RemoteDest) => NextHopRow | undefined {
  const rows = new Map(nextHops.map((row) => [row.nh, row]));
  const busiest = new Map(
    groups.map(({ group, members }) => [group, [...members].sort((a, b) => b.places - a.places)[0]?.nh]),
  );
  return (dest) => rows.get((dest.kind === 'nh' ? dest.nh : busiest.get(dest.group)) ?? -1);
}
