// What the configuration says about VDP, as VDP's bridge side takes it.

import { type AgentConfig, type NveError, unwrap } from '#model';
import {
  type FilterFormats,
  filterFormats,
  type TsiWant,
  type VdpMappingRules,
  type VsiDescription,
  vdpRules,
} from '#protocol';

const FIELDS = { group_id: 'groupId', mac: 'mac', ipv4: 'ipv4', ipv6: 'ipv6', vid: 'vid' } as const;

/** The standard's filter formats and the configured ones. */
export function formatsOf({ vdp }: AgentConfig): FilterFormats {
  const further = vdp.filter_format.map(({ code, fields }) => [code, fields.map((field) => FIELDS[field])] as const);
  return unwrap(filterFormats(Object.fromEntries(further)));
}

/** How VSIs become TSIs. `refusal`: see `VdpMappingRules`. */
export function rulesOf(
  { access, vdp }: AgentConfig,
  refusal: (vsi: VsiDescription, want: TsiWant) => NveError | null,
): VdpMappingRules {
  const types = vdp.vsi_type.map(({ vsi_manager, vsi_type, vsi_type_version, vn }) => ({
    managerId: vsi_manager,
    typeId: vsi_type,
    typeVersion: vsi_type_version,
    vn,
  }));
  const ports = Object.fromEntries(access.flatMap(({ port, vn }) => (vn === undefined ? [] : [[port, vn]])));
  return { ...vdpRules({ types, ports }), refusal };
}
