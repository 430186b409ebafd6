// What a command may touch of its surroundings, so that tests run commands in their own process.

export interface Io {
  /** Data, and nothing else. */
  readonly out: (text: string) => void;
  /** Messages. */
  readonly err: (text: string) => void;
  readonly stdin: () => Promise<Buffer>;
  /** Lines of the screen; absent, or undefined, if what is written goes to none. */
  readonly height?: () => number | undefined;
  /** Ends what else runs until a signal. */
  readonly stopped?: AbortSignal;
}

export const processIo: Io = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  height: () => (process.stdout.isTTY ? process.stdout.rows : undefined),
  stdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks);
  },
};
