// What a command may touch of its surroundings, so that tests run commands in their own process.

export interface Io {
  /** Data, and nothing else. */
  readonly out: (text: string) => void;
  /** The same, as octets; resolves when they may be followed by others. */
  readonly octets: (octets: Uint8Array) => Promise<void>;
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
  octets: (octets) =>
    new Promise((resolve) => {
      if (process.stdout.write(octets)) resolve();
      else process.stdout.once('drain', resolve);
    }),
  err: (text) => void process.stderr.write(text),
  height: () => (process.stdout.isTTY ? process.stdout.rows : undefined),
  stdin: async () => {
    const chunks: Buffer[] = [];
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk as Uint8Array));
    return Buffer.concat(chunks);
  },
};
