// The access links that the NVE has now: those of the configuration, and those that come and go, such as S-channels and ports that
// were plugged for a tenant. A link is a name for TSIs, a way to tag (the allocator's) and a port with settings (the VAPs').

import type { AclId, PortId, TagPolicy, VapOptions } from '#dataplane';
import { type Acl, type AgentConfig, aclOf, err, type LinkName, nveError, ok, type Result, type Vid } from '#model';
import type { LinkTagging, TagAllocator, TagDomain } from '#protocol';
import { aclObject } from '../engine/acls.js';
import type { EngineObject } from '../engine/objects.js';

export interface AgentLink {
  readonly name: LinkName;
  /** The engine's port; the S-channels of a port share it. */
  readonly port: PortId;
  readonly tagging: LinkTagging;
  /** What VAPs here do with the tenants' own tags (RFC 8014 section 3.1.1). */
  readonly tenantTags: TagPolicy;
  readonly maxVsis: number;
  /** Its tenants are attached at other NVEs as well. */
  readonly multihomed: boolean;
  /** What its VAPs are allowed. */
  readonly policy: VapOptions;
  /** The list that `policy.aclOut` names. */
  readonly aclOut?: Acl | undefined;
}

/** What `[[access]]` says of a link. */
export type AccessConfig = AgentConfig['access'][number];

export class AgentLinks {
  readonly #tags: TagAllocator;
  readonly #links = new Map<LinkName, AgentLink>();

  constructor(tags: TagAllocator) {
    this.#tags = tags;
  }

  /** NVE-TAG-002 if its domain holds no usable VID. A link of this name that is there is replaced, and keeps its tags. */
  add(link: AgentLink): Result<null> {
    const added = this.#tags.addLink(link.name, link.tagging);
    if (added.ok) this.#links.set(link.name, link);
    return added;
  }

  /** No TSI can associate there any more. What is there goes by `revoke`. */
  remove(name: LinkName): void {
    this.#tags.removeLink(name);
    this.#links.delete(name);
  }

  /** NVE-TSI-004 if there is no such link. */
  get(name: LinkName): Result<AgentLink> {
    const link = this.#links.get(name);
    return link === undefined ? err(nveError('NVE-TSI-004', { link: name, known: [...this.#links.keys()] })) : ok(link);
  }

  /** The links of a port: itself, and its S-channels. */
  ofPort(port: PortId): LinkName[] {
    return [...this.#links.values()].filter((link) => link.port === port).map(({ name }) => name);
  }

  names(): LinkName[] {
    return [...this.#links.keys()];
  }

  isMultihomed(name: LinkName): boolean {
    return this.#links.get(name)?.multihomed === true;
  }

  maxVsis(name: LinkName): number {
    return this.#links.get(name)?.maxVsis ?? 0;
  }
}

/**
 * The link of an access port as it is without S-channels. With them it is the default S-channel, whose frames carry no S-TAG
 * (IEEE 802.1Q clause 42).
 */
export function portLink(config: AgentConfig, access: AccessConfig, port: PortId): AgentLink {
  const kind = access.scheme === 's-tag' ? 's-tag' : 'c-tag';
  return { ...linkOf(config, access, port), tagging: { kind, ...vlansOf(config, access, access.port) } };
}

/** An S-channel of an access port: `PORT.SVID`, with VIDs of its own unless the port is in an access domain. */
export function channelLink(config: AgentConfig, access: AccessConfig, port: PortId, s_vid: Vid): AgentLink {
  const name = `${access.port}.${s_vid}` as LinkName;
  const tagging: LinkTagging = { kind: 's-tag+c-tag', s_vid, ...vlansOf(config, access, name) };
  return { ...linkOf(config, access, port), name, tagging };
}

function linkOf(config: AgentConfig, access: AccessConfig, port: PortId) {
  const { port: name, max_vsis: maxVsis, multihomed } = access;
  const list = config.acl.find((one) => one.name === access.acl_out);
  const policy = policyOf(config, access);
  return { name, port, multihomed, tenantTags: tagPolicyOf(access), maxVsis, policy, aclOut: list && aclOf(list) };
}

/** Numbers of lists that links have; those of VNs are counted from 1. */
const LINK_ACLS = 0xffff_0000;

/** The lists that links name. */
export function linkAcls({ acl }: AgentConfig): EngineObject[] {
  return acl.map((one, n) => aclObject(LINK_ACLS + n, aclOf(one)));
}

/** What is not the engine's default. */
function policyOf({ acl }: AgentConfig, access: AccessConfig): VapOptions {
  const idOf = (name: string): AclId => LINK_ACLS + acl.findIndex((one) => one.name === name);
  const { police, storm, guard_ip, acl_in, acl_out } = access;
  return {
    ...(acl_in !== undefined && { aclIn: idOf(acl_in) }),
    ...(acl_out !== undefined && { aclOut: idOf(acl_out) }),
    ...(police !== undefined && { police: [police.bits_per_second, police.burst_bytes] as const }),
    ...(storm !== undefined && { storm: [storm.packets_per_second, storm.burst] as const }),
    ...(guard_ip && { guardIp: true }),
  };
}

function tagPolicyOf({ scheme, tenant_tags: tags }: AccessConfig): TagPolicy {
  if (tags === undefined) return { kind: scheme === 's-tag' ? 'pass' : 'refuse' };
  return typeof tags === 'string' ? { kind: tags } : { kind: 'list', vids: tags };
}

function vlansOf(config: AgentConfig, access: AccessConfig, name: LinkName) {
  const shared = config.access_domain.find((domain) => domain.name === access.domain);
  const { vlan_pool: pool, reserve } = shared ?? access;
  const domain: TagDomain = { name: shared?.name ?? name, pool, reserve };
  return { domain, explicitVids: access.explicit_vids === 'accept' };
}
