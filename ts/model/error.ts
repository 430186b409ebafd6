/**
 * `NveError`: the one error class. It is as often a value in a `Result` as it is thrown. Its code is a row of `errors.ts`,
 * or a code from elsewhere (the engine, a peer of a newer version) that must render as well.
 */
import { AREAS, ERRORS, type ErrorArea, type ErrorCode, type ErrorRow } from './errors.js';
import { show } from './show.js';

export type ErrorContext = Readonly<Record<string, unknown>>;

type Names<T extends string> = T extends `${string}{${infer Name}}${infer Rest}` ? Name | Names<Rest> : never;
/** The context that a code's message and hint need: exactly the `{names}` in them, and more if wanted. */
export type ContextOf<C extends ErrorCode> = Readonly<
  Record<Names<(typeof ERRORS)[C]['message']> | Names<(typeof ERRORS)[C]['hint']>, unknown>
> &
  ErrorContext;

/** What crosses a wire of an error: the error map of docs/rpc.md. */
export interface ErrorMap {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly context: ErrorContext;
}

export class NveError extends Error {
  override readonly name = 'NveError';
  /** `NVE-<AREA>-<nnn>`. Usually an `ErrorCode`. */
  readonly code: string;
  /** The middle of the code. Usually an `ErrorArea`. */
  readonly area: string;
  /** What to do about it. */
  readonly hint: string;
  readonly context: ErrorContext;
  readonly retryable: boolean;

  constructor(map: ErrorMap, options: { retryable?: boolean; cause?: unknown } = {}) {
    super(map.message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = map.code;
    this.area = map.code.split('-')[1] ?? '';
    this.hint = map.hint;
    this.context = map.context;
    this.retryable = options.retryable ?? row(map.code)?.retryable ?? false;
  }

  toMap(): ErrorMap {
    return { code: this.code, message: this.message, hint: this.hint, context: this.context };
  }
}

/** An error of the registry. The compiler asks for the context that its message and hint name. */
export function nveError<C extends ErrorCode>(code: C, context: ContextOf<C>, cause?: unknown): NveError {
  const { message, hint } = ERRORS[code];
  return new NveError({ code, message: fill(message, context), hint: fill(hint, context), context }, { cause });
}

/**
 * An error whose code came from elsewhere: the engine's refusals, `code` and `text` of NNP, a peer of another version.
 * A code of the registry gets its message and hint when the context has all that they name; otherwise `text`, or the
 * code and the context as they are.
 */
export function foreignError(code: unknown, context: ErrorContext = {}, text?: string, cause?: unknown): NveError {
  const name = typeof code === 'string' && isErrorCodeShape(code) ? code : 'NVE-SYS-003';
  const known = row(name);
  const complete =
    known !== undefined &&
    [...known.message.matchAll(/\{(\w+)\}/g)].every(([, key]) => key !== undefined && key in context);
  const about = areaText(name);
  const values = Object.entries(context).map(([key, value]) => `${key} ${plain(value)}`);
  const message =
    text ?? (complete ? fill(known.message, context) : `${about ?? 'error'} (${[name, ...values].join(', ')})`);
  const hint =
    known === undefined
      ? 'This code is not known to this release: see docs/errors.md of the program that sent it.'
      : fill(known.hint, context);
  return new NveError({ code: name, message, hint, context }, { cause });
}

/** Anything that was caught, as an `NveError`: itself, or wrapped as an internal error. */
export function toNveError(caught: unknown): NveError {
  if (caught instanceof NveError) return caught;
  return nveError('NVE-SYS-003', { reason: caught instanceof Error ? caught.message : show(caught) }, caught);
}

/** The command line's exit code for an error. */
export function exitCodeOf(error: NveError): number {
  return row(error.code)?.exit ?? 1;
}

export function isErrorCodeShape(code: string): boolean {
  return /^NVE-[A-Z]{2,8}-[0-9]{3}$/.test(code);
}

function row(code: string): ErrorRow | undefined {
  return Object.hasOwn(ERRORS, code) ? ERRORS[code as ErrorCode] : undefined;
}

function areaText(code: string): string | undefined {
  const area = code.split('-')[1] ?? '';
  return Object.hasOwn(AREAS, area) ? AREAS[area as ErrorArea] : undefined;
}

function fill(template: string, context: ErrorContext): string {
  // What is not known is said by its name: "detach holder first".
  return template.replace(/\{(\w+)\}/g, (_, key: string) => (key in context ? plain(context[key]) : key));
}

function plain(value: unknown): string {
  if (typeof value === 'string') return value;
  return Array.isArray(value) ? value.map(plain).join(', ') : show(value);
}
