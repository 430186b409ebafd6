import { setTimeout as sleep } from 'node:timers/promises';

/** Asks until the answer satisfies, or the time is over; gives the last answer. Each question comes after the last one's answer. */
export async function until<T>(
  ask: () => Promise<T>,
  satisfies: (answer: T) => boolean,
  deadlineMs: number,
  pauseMs = 50,
): Promise<T> {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const answer = await ask();
    if (satisfies(answer) || Date.now() >= end) return answer;
    await sleep(pauseMs);
  }
}
