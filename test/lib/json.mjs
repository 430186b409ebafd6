// JSON for what an engine takes and tells: bytes and 64-bit numbers, which JSON has not, travel as one-key objects. Plain JavaScript,
// because both sides use it: the tests, and the program that runs an engine.

/** One line. @param {unknown} value */
export function toLine(value) {
  return `${JSON.stringify(value, (_key, item) => {
    if (typeof item === 'bigint') return { $bigint: `${item}` };
    if (item instanceof Uint8Array) return { $bytes: Buffer.from(item).toString('base64') };
    // A Buffer has been turned into this before we see it.
    if (item?.type === 'Buffer' && Array.isArray(item.data))
      return { $bytes: Buffer.from(item.data).toString('base64') };
    return item;
  })}\n`;
}

/** What `toLine` made. @param {string} line @returns {unknown} */
export function fromLine(line) {
  return JSON.parse(line, (_key, item) => {
    if (typeof item?.$bigint === 'string') return BigInt(item.$bigint);
    if (typeof item?.$bytes === 'string') return new Uint8Array(Buffer.from(item.$bytes, 'base64'));
    return item;
  });
}
