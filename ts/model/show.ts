/** A short, one-line rendering of an untrusted value for an error message: at most 80 characters, no control characters. */
export function show(value: unknown): string {
  let text: string;
  if (typeof value === 'bigint') text = `${value}`;
  else if (value instanceof Uint8Array) text = `${value.length} bytes`;
  else {
    try {
      text = JSON.stringify(typeof value === 'string' ? value.slice(0, 100) : value) ?? String(value);
    } catch {
      text = Object.prototype.toString.call(value);
    }
  }
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
