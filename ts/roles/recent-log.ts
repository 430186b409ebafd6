// The last lines of this process's log, within bounds, for whoever asks what happened (`splitnve show support`).

const LINES = 500;
const CHARACTERS = 131_072;

export class RecentLog {
  #lines: string[] = [];
  #length = 0;

  push(line: string): void {
    this.#lines.push(line);
    this.#length += line.length;
    while (this.#lines.length > LINES || this.#length > CHARACTERS) this.#length -= this.#lines.shift()?.length ?? 0;
  }

  /** The oldest first. */
  lines(): string[] {
    return this.#lines.map((line) => line.trimEnd());
  }
}

/** Of this process: it runs one role. */
export const recentLog = new RecentLog();
