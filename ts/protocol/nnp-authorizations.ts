/**
 * AUTH: the questions that are out, those that wait their turn, and the verdicts that count while the NVA is away. Whoever is on an
 * access link can make us ask; so few questions are out at a time, and the links take turns: a flood on one holds up its own.
 */
import {
  err,
  foreignError,
  type LinkName,
  type NveError,
  nveError,
  ok,
  type Result,
  type VnInfo,
  vnRefText,
} from '#model';
import type { NnpFrame } from '#wire';
import type { CallId } from './nnp-client-events.js';
import type { AuthorizeRequest } from './nnp-types.js';
import { NnpVerdicts } from './nnp-verdicts.js';

/** Questions that the NVA has and has not answered, at most. */
export const MAX_OUT = 256;
/** Questions of one link that wait, at most: as many as a link may carry TSIs. */
export const MAX_WAITING = 4096;

interface Question {
  readonly call: CallId;
  readonly request: AuthorizeRequest;
}

export interface Answered {
  readonly call: CallId;
  readonly result: Result<VnInfo>;
}

export class NnpAuthorizations {
  readonly verdicts = new NnpVerdicts();
  readonly #asked = new Map<number, Question>();
  /** By link, the one whose turn is next first; none is empty. They wait for the first session, or until fewer are out. */
  readonly #waiting = new Map<LinkName, Map<CallId, Question>>();
  #qid = 0;

  /** An error if too many of its link wait. */
  wait(question: Question): NveError | null {
    const { port } = question.request;
    const waiting = this.#waiting.get(port) ?? new Map<CallId, Question>();
    if (waiting.size >= MAX_WAITING) return nveError('NVE-NNP-012', { link: port, limit: MAX_WAITING });
    this.#waiting.set(port, waiting.set(question.call, question));
    return null;
  }

  /** The frames of those that may go out now. */
  take(): NnpFrame[] {
    const frames: NnpFrame[] = [];
    while (this.#asked.size < MAX_OUT) {
      const [next] = this.#waiting;
      if (next === undefined) break;
      const [port, waiting] = next;
      this.#waiting.delete(port);
      for (const question of waiting.values()) {
        waiting.delete(question.call);
        this.#qid = (this.#qid + 1) % 2 ** 32;
        this.#asked.set(this.#qid, question);
        frames.push({ kind: 'auth', channel: 0, qid: this.#qid, ...question.request });
        break;
      }
      if (waiting.size > 0) this.#waiting.set(port, waiting);
    }
    return frames;
  }

  /** Nobody wants the answer any more: false if it is out already, or was never asked. */
  callOff(call: CallId): boolean {
    return this.#takeWaiting(call) !== undefined;
  }

  answered(frame: Extract<NnpFrame, { kind: 'authAck' }>, now: number): Answered | null {
    const question = this.#asked.get(frame.qid);
    if (question === undefined) return null;
    this.#asked.delete(frame.qid);
    const { vn, tsi } = question.request;
    const context = { vn: vnRefText(vn), tsi };
    const result = frame.vn === null ? err(foreignError(frame.code, context, frame.text ?? undefined)) : ok(frame.vn);
    this.verdicts.put(question.request, result, frame.ttlS * 1000, now);
    return { call: question.call, result };
  }

  /** The session is gone: what it was asked, the next one is. */
  lost(): void {
    const again = [...this.#asked.values()];
    this.#asked.clear();
    for (const question of again) {
      const { port } = question.request;
      this.#waiting.set(port, (this.#waiting.get(port) ?? new Map<CallId, Question>()).set(question.call, question));
    }
  }

  /** No session, and none in sight: an earlier verdict, or `error`. */
  away(now: number, error: NveError): Answered[] {
    const waiting = [...this.#waiting.values()].flatMap((questions) => [...questions.values()]);
    const questions = [...this.#asked.values(), ...waiting];
    this.#asked.clear();
    this.#waiting.clear();
    return questions.map(({ call, request }) => ({ call, result: this.verdicts.get(request, now) ?? err(error) }));
  }

  /** The caller's deadline passed: an earlier verdict, or `error`. */
  expired(call: CallId, now: number, error: NveError): Result<VnInfo> {
    const question = this.#takeWaiting(call) ?? this.#takeAsked(call);
    return (question && this.verdicts.get(question.request, now)) ?? err(error);
  }

  #takeWaiting(call: CallId): Question | undefined {
    for (const [port, waiting] of this.#waiting) {
      const question = waiting.get(call);
      if (question === undefined) continue;
      waiting.delete(call);
      if (waiting.size === 0) this.#waiting.delete(port);
      return question;
    }
    return undefined;
  }

  #takeAsked(call: CallId): Question | undefined {
    for (const [qid, question] of this.#asked) {
      if (question.call !== call) continue;
      this.#asked.delete(qid);
      return question;
    }
    return undefined;
  }
}
