/** AUTH: the questions that are out, and the verdicts that count while the NVA is away. */
import { err, foreignError, type NveError, ok, type Result, type VnInfo, vnRefText } from '#model';
import type { NnpFrame } from '#wire';
import type { CallId } from './nnp-client-events.js';
import type { AuthorizeRequest } from './nnp-types.js';
import { NnpVerdicts } from './nnp-verdicts.js';

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
  /** Asked before the first session: they wait for it. */
  #queued: Question[] = [];
  #qid = 0;

  ask(question: Question): NnpFrame {
    this.#qid = (this.#qid + 1) % 2 ** 32;
    this.#asked.set(this.#qid, question);
    return { kind: 'auth', channel: 0, qid: this.#qid, ...question.request };
  }

  queue(question: Question): void {
    this.#queued.push(question);
  }

  /** A session is up: the frames of those that waited for it. */
  flush(): NnpFrame[] {
    return this.#queued.splice(0).map((question) => this.ask(question));
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

  /** No session, and none in sight: an earlier verdict, or `error`. */
  away(now: number, error: NveError): Answered[] {
    const questions = [...this.#asked.values(), ...this.#queued];
    this.#asked.clear();
    this.#queued = [];
    return questions.map(({ call, request }) => ({ call, result: this.verdicts.get(request, now) ?? err(error) }));
  }

  /** The caller's deadline passed: an earlier verdict, or `error`. */
  expired(call: CallId, now: number, error: NveError): Result<VnInfo> {
    const question = [...this.#asked.values(), ...this.#queued].find((one) => one.call === call);
    this.#queued = this.#queued.filter((one) => one.call !== call);
    for (const [qid, one] of this.#asked) if (one.call === call) this.#asked.delete(qid);
    return (question && this.verdicts.get(question.request, now)) ?? err(error);
  }
}
