/**
 * What a station is told when its command is refused (IEEE 802.1Q clause 41): one table from the codes of this product to
 * VDP's. HARD says that the same command will fail again until somebody changes something: what depends on others who may
 * leave, or on an NVA that may come back, has no HARD.
 */
import type { NveError } from '#model';
import { VDP_ERRORS } from '#wire';

export interface VdpRefusal {
  readonly code: number;
  readonly hard: boolean;
}

const { invalidFormat, insufficientResources, managerUnreachable, otherFailure, invalidValue } = VDP_ERRORS;
const soft = (code: number): VdpRefusal => ({ code, hard: false });
const hard = (code: number): VdpRefusal => ({ code, hard: true });

const BY_CODE: ReadonlyMap<string, VdpRefusal> = new Map([
  // The request itself.
  ['NVE-VDP-001', hard(invalidFormat)],
  ['NVE-VDP-002', hard(invalidValue)],
  ['NVE-VDP-003', soft(insufficientResources)],
  // Its VN, VID or MACs.
  ['NVE-AUT-001', hard(invalidValue)],
  ['NVE-AUT-002', hard(invalidValue)],
  ['NVE-NVA-001', hard(invalidValue)],
  ['NVE-NVA-002', hard(invalidValue)],
  ['NVE-NVA-003', soft(invalidValue)],
  ['NVE-TSI-002', hard(invalidValue)],
  ['NVE-TSI-003', soft(invalidValue)],
  ['NVE-TSI-009', hard(invalidValue)],
  ['NVE-TAG-003', hard(invalidValue)],
  // Policy that has nothing to do with them.
  ['NVE-NVA-004', hard(otherFailure)],
  ['NVE-TSI-011', hard(otherFailure)],
  ['NVE-ENG-011', hard(otherFailure)],
  // Room.
  ['NVE-TAG-001', soft(insufficientResources)],
  ['NVE-TSI-008', soft(insufficientResources)],
  ['NVE-TSI-010', hard(insufficientResources)],
  ['NVE-NVA-007', soft(insufficientResources)],
  ['NVE-NNP-012', soft(insufficientResources)],
  ['NVE-ENG-008', soft(insufficientResources)],
  // The NVA did not answer, or not in time.
  ['NVE-RPC-004', soft(managerUnreachable)],
]);

/** Codes of an area that are not named above. */
const BY_AREA: ReadonlyMap<string, VdpRefusal> = new Map([
  ['NNP', soft(managerUnreachable)],
  ['NVA', hard(otherFailure)],
]);

export function refusalOf(error: NveError): VdpRefusal {
  return BY_CODE.get(error.code) ?? BY_AREA.get(error.area) ?? soft(otherFailure);
}
