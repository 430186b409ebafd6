/**
 * Outcome of something that can fail in an expected way. `wire` and `protocol` return results and never throw;
 * `roles` and above may turn a failed result into a thrown `NveError` with `unwrap`.
 */
import type { NveError } from './error.js';

export type Result<T, E = NveError> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly error: E };

export function ok<T>(value: T): { readonly ok: true; readonly value: T } {
  return { ok: true, value };
}

export function err<E>(error: E): { readonly ok: false; readonly error: E } {
  return { ok: false, error };
}

/** The value of a good result; throws the error of a bad one. Not for use in `wire` and `protocol`. */
export function unwrap<T>(result: Result<T>): T {
  if (result.ok) return result.value;
  throw result.error;
}
