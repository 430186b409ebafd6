// Access control lists as the engine's objects.

import type { AclId, AclRule as EngineRule } from '#dataplane';
import type { Acl, AclPrefix, AclRule, MacAddr } from '#model';
import type { EngineObject } from './objects.js';

const WHOLE = 'ff:ff:ff:ff:ff:ff' as MacAddr;

export function aclObject(acl: AclId, { default: otherwise, rules }: Acl): Extract<EngineObject, { op: 'AclSet' }> {
  return { op: 'AclSet', acl, default: otherwise, rules: rules.map(engineRule) };
}

function engineRule(rule: AclRule): EngineRule {
  const { action, srcMac, dstMac, etherType, src, dst, protocol, srcPorts, dstPorts } = rule;
  const mac = (of: MacAddr) => ({ mac: of, mask: WHOLE });
  const prefix = ({ ip, length }: AclPrefix) => ({ ip, prefixLen: length });
  const range = ([first, last]: readonly [number, number]) => ({ first, last });
  return {
    action,
    ...(srcMac !== undefined && { srcMac: mac(srcMac) }),
    ...(dstMac !== undefined && { dstMac: mac(dstMac) }),
    ...(etherType !== undefined && { etherType }),
    ...(src !== undefined && { srcIp: prefix(src) }),
    ...(dst !== undefined && { dstIp: prefix(dst) }),
    ...(protocol !== undefined && { protocol }),
    ...(srcPorts !== undefined && { srcPort: range(srcPorts) }),
    ...(dstPorts !== undefined && { dstPort: range(dstPorts) }),
  };
}
