/** A VN's settings and ACLs, and the ends of tunnels, as NNP has them: positional lists, nil for what is not said. */
import {
  ACL_RULES_MAX,
  type Acl,
  type AclPrefix,
  type AclRule,
  bytesToHex,
  type Delivery,
  GENEVE_OPTIONS_MAX,
  hexToBytes,
  ipToBytes,
  isGeneveOptions,
  isGroupIp,
  type MacAddr,
  macFromBytes,
  macToBytes,
  parseNveId,
  ruleProblem,
  type TunnelEnd,
  UNKNOWN_UNICAST,
  type VnSettings,
} from '#model';
import { ArrayReader, type FieldErrors, ipOf } from './fields.js';

const U8 = 255;
const U16 = 65_535;
/** Of the flags; others are of later versions, and ignored. */
const LEARN = 1;
const SUPPRESS = 2;
const STRICT = 4;
const DSCP_UNIFORM = 8;

export function settingsFields(settings: VnSettings): unknown[] {
  const flags =
    (settings.learn ? LEARN : 0) |
    (settings.suppress ? SUPPRESS : 0) |
    (settings.strict ? STRICT : 0) |
    (settings.dscp === 'uniform' ? DSCP_UNIFORM : 0);
  const { unknown, delivery, aclIn, aclOut } = settings;
  return [UNKNOWN_UNICAST.indexOf(unknown), flags, deliveryField(delivery), aclFields(aclIn), aclFields(aclOut)];
}

export function settingsOf(value: unknown, at: string, errors: FieldErrors): VnSettings {
  const r = new ArrayReader(value, at, errors);
  const unknown = UNKNOWN_UNICAST[r.uint('unknown', UNKNOWN_UNICAST.length - 1)] ?? 'drop';
  const flags = r.uint('flags', U16);
  const has = (bit: number): boolean => (flags & bit) !== 0;
  return {
    unknown,
    learn: has(LEARN),
    suppress: has(SUPPRESS),
    delivery: deliveryOf(r),
    dscp: has(DSCP_UNIFORM) ? 'uniform' : 'pipe',
    strict: has(STRICT),
    aclIn: r.optional('acl_in', aclOf),
    aclOut: r.optional('acl_out', aclOf),
  };
}

/** Nil is head-end replication, an address a group, text a replication node. */
function deliveryField(delivery: Delivery): unknown {
  switch (delivery.kind) {
    case 'head-end':
      return null;
    case 'multicast':
      return ipToBytes(delivery.group);
    case 'node':
      return delivery.nveId;
  }
}

function deliveryOf(r: ArrayReader): Delivery {
  const delivery = r.optional('delivery', (value, at, errors): Delivery => {
    if (typeof value === 'string') {
      const nveId = parseNveId(value);
      if (nveId.ok) return { kind: 'node', nveId: nveId.value };
    } else {
      const group = ipOf(value, at, errors);
      if (group !== undefined && isGroupIp(group)) return { kind: 'multicast', group };
    }
    errors.fail(at, 'a multicast group, the name of an NVE, or nil', value);
    return { kind: 'head-end' };
  });
  return delivery ?? { kind: 'head-end' };
}

const ACTIONS = ['deny', 'permit'] as const;

function aclFields(acl: Acl | null): unknown {
  return acl && [ACTIONS.indexOf(acl.default), acl.rules.map(ruleFields)];
}

function ruleFields({ action, etherType, protocol, ...rule }: AclRule): unknown[] {
  const mac = (of: MacAddr | undefined) => (of === undefined ? null : macToBytes(of));
  const prefix = (of: AclPrefix | undefined) => (of === undefined ? [null, null] : [ipToBytes(of.ip), of.length]);
  return [
    ACTIONS.indexOf(action),
    mac(rule.srcMac),
    mac(rule.dstMac),
    etherType ?? null,
    ...prefix(rule.src),
    ...prefix(rule.dst),
    protocol ?? null,
    ...(rule.srcPorts ?? [null, null]),
    ...(rule.dstPorts ?? [null, null]),
  ];
}

function aclOf(value: unknown, at: string, errors: FieldErrors): Acl {
  const r = new ArrayReader(value, at, errors);
  return { default: ACTIONS[r.uint('default', 1)] ?? 'deny', rules: r.list('rules', ACL_RULES_MAX, ruleOf) };
}

function ruleOf(value: unknown, at: string, errors: FieldErrors): AclRule {
  const r = new ArrayReader(value, at, errors);
  const number = (name: string, max: number, min = 0) =>
    r.optional(name, (item) => new ArrayReader([item], at, errors).uint(name, max, min)) ?? undefined;
  const rule: AclRule = {
    action: ACTIONS[r.uint('action', 1)] ?? 'deny',
    ...given('srcMac', r.optional('src_mac', anyMacOf)),
    ...given('dstMac', r.optional('dst_mac', anyMacOf)),
    ...given('etherType', number('ether_type', U16, 0x600)),
    ...given('src', prefixOf(r, 'src')),
    ...given('dst', prefixOf(r, 'dst')),
    ...given('protocol', number('protocol', U8)),
    ...given('srcPorts', range(number('src_port_min', U16), number('src_port_max', U16))),
    ...given('dstPorts', range(number('dst_port_min', U16), number('dst_port_max', U16))),
  };
  const problem = errors.first === null ? ruleProblem(rule) : null;
  if (problem !== null) errors.fail(`${at}.${problem.field}`, problem.expected, rule[problem.field]);
  return rule;
}

/** A field that is there only if it is said. */
function given<K extends keyof AclRule>(key: K, value: AclRule[K] | null): Partial<Pick<AclRule, K>> {
  return value === null || value === undefined ? {} : ({ [key]: value } as Pick<AclRule, K>);
}

function prefixOf(r: ArrayReader, name: string): AclPrefix | null {
  const ip = r.ipOrNil(name);
  const length = r.any();
  if (ip === null) return null;
  if (typeof length === 'number' && Number.isInteger(length) && length >= 0 && length <= 128) return { ip, length };
  r.fail(`${name}_len`, 'an integer from 0 to 128', length);
  return null;
}

/** One end alone is a single port. */
function range(min: number | undefined, max: number | undefined): [number, number] | undefined {
  const first = min ?? max;
  return first === undefined ? undefined : [first, max ?? first];
}

function anyMacOf(value: unknown, at: string, errors: FieldErrors): MacAddr {
  const mac = value instanceof Uint8Array ? macFromBytes(value) : null;
  if (mac?.ok) return mac.value;
  errors.fail(at, 'a MAC address of 6 bytes', value);
  return undefined as unknown as MacAddr;
}

export function tunnelFields({ encap, ip, checksum, options, weight, down }: TunnelEnd): unknown[] {
  const fields: unknown[] = [
    checksum === undefined ? null : checksum ? 1 : 0,
    options === undefined ? null : hexToBytes(options),
    weight ?? null,
    down === true ? 1 : null,
  ];
  return [encap, ipToBytes(ip), ...fields.slice(0, fields.findLastIndex((field) => field !== null) + 1)];
}

export function tunnelOf(value: unknown, at: string, errors: FieldErrors): TunnelEnd {
  const r = new ArrayReader(value, at, errors);
  const end = { encap: r.uint('encap', U8), ip: r.ip('ip') };
  const checksum = r.optional('checksum', (item) => new ArrayReader([item], at, errors).uint('checksum', 1) === 1);
  const options = r.optional('options', optionsOf);
  const weight = r.optional('weight', (item) => new ArrayReader([item], at, errors).uint('weight', U8, 1));
  const down = r.optional('state', (item) => new ArrayReader([item], at, errors).uint('state', 1) === 1);
  return {
    ...end,
    ...(checksum !== null && { checksum }),
    ...(options !== null && { options }),
    ...(weight !== null && { weight }),
    ...(down === true && { down }),
  };
}

function optionsOf(value: unknown, at: string, errors: FieldErrors): string {
  if (value instanceof Uint8Array && value.length > 0 && isGeneveOptions(value)) return bytesToHex(value);
  errors.fail(at, `Geneve options of at most ${GENEVE_OPTIONS_MAX} bytes`, value);
  return '';
}
