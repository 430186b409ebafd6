// Frames that a person gives to a command: in hexadecimal, or as a capture in a file or from standard input.

import { readFile, stat } from 'node:fs/promises';
import { InvalidArgumentError } from 'commander';
import { nveError } from '#model';
import type { Io } from './io.js';

/** Hexadecimal digits; white space and colons between them are ignored. */
export function parseFrame(text: string): Uint8Array {
  const stray = /[^\s:0-9a-f]/i.exec(text);
  if (stray !== null)
    throw new InvalidArgumentError(
      `the frame is not hexadecimal: "${stray[0]}" at character ${stray.index + 1} is no digit`,
    );
  const digits = text.replace(/[\s:]/g, '');
  if (digits === '') throw new InvalidArgumentError('the frame is empty: give it in hexadecimal');
  if (digits.length % 2 === 1)
    throw new InvalidArgumentError(
      `the frame is not hexadecimal, two digits a byte: at character ${text.trimEnd().length} a byte lacks its second digit`,
    );
  return Buffer.from(digits, 'hex');
}

/** A capture of a minute of a busy access link has some MB. */
const FILE_MAX = 256 * 1024 * 1024;

/** What is hexadecimal is the frame itself; a file with such a name is `./NAME`. */
export async function inputOf(target: string, io: Io): Promise<Buffer> {
  if (target === '-') return io.stdin();
  if (/^[\s:0-9a-f]*$/i.test(target)) return Buffer.from(target);
  try {
    const { size } = await stat(target);
    if (size > FILE_MAX) throw new Error(`it has ${size} bytes, the limit is ${FILE_MAX}`);
    return await readFile(target);
  } catch (caught) {
    const reason = caught instanceof Error ? caught.message : String(caught);
    throw nveError('NVE-CLI-003', { file: target, reason }, caught);
  }
}
