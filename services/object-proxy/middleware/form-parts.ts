import { must } from '@folsom/core';
import type { BodyStream, Headers } from '@folsom/swift-http';

/** A form that does not hang together; the message is for the user. */
export class FormInvalid extends Error {
  override readonly name = 'FormInvalid';
}

/** One field or file of a multipart form. Its body must be read before the next part is asked for, or is skipped. */
export interface FormPart {
  headers: Headers;
  /** The next bytes; null at the part's end. */
  read(): Promise<Buffer | null>;
}

const HEADER_BYTES_MAX = 16 * 1024;

/** `form-data; name="a"; filename="b"` → its value and attributes. */
export function parseAttributes(header: string): { value: string; attributes: Record<string, string> } {
  const split = header.indexOf('; ');
  const attributes = Object.create(null) as Record<string, string>;
  if (split < 0) return { value: header, attributes };
  for (const match of header.slice(split + 2).matchAll(/(\w+)=("[^"]*"|[^";]+)(?:; ?|$)/gy)) {
    attributes[must(match[1], 'the pattern has group 1')] = must(match[2], 'the pattern has group 2').replace(
      /^"|"$/g,
      '',
    );
  }
  return { value: header.slice(0, split), attributes };
}

/**
 * The parts of a multipart body, streamed: never more than a boundary's length and one chunk is held. Whoever reads a part sets the pace:
 * each file is the body of a PUT of its own, which must have ended, or been refused, before the next part is looked at. busboy pushes
 * every part of the form as it comes, so that the form would have to be stopped between events, and takes forms that swift refuses.
 * @throws FormInvalid
 */
export async function* formParts(body: BodyStream, boundary: string): AsyncGenerator<FormPart> {
  const first = Buffer.from(`--${boundary}`, 'latin1');
  const separator = Buffer.from(`\r\n--${boundary}`, 'latin1');
  let buffer: Buffer = Buffer.alloc(0);
  let ended = false;
  const more = async (): Promise<boolean> => {
    if (ended) return false;
    const chunk = await body.read();
    if (chunk === null) {
      ended = true;
      return false;
    }
    buffer = buffer.length ? Buffer.concat([buffer, chunk]) : chunk;
    return true;
  };
  const line = async (): Promise<string> => {
    for (;;) {
      const end = buffer.indexOf('\r\n');
      if (end >= 0) {
        const text = buffer.toString('latin1', 0, end);
        buffer = buffer.subarray(end + 2);
        return text;
      }
      if (buffer.length > HEADER_BYTES_MAX) throw new FormInvalid('line too long');
      if (!(await more())) {
        const text = buffer.toString('latin1');
        buffer = Buffer.alloc(0);
        return text;
      }
    }
  };
  if ((await line()).trim() !== first.toString('latin1')) throw new FormInvalid('invalid starting boundary');
  for (let last = false; !last; ) {
    const headers: Headers = new Map();
    let size = 0;
    for (let text = await line(); text !== ''; text = await line()) {
      size += text.length;
      if (size > HEADER_BYTES_MAX) throw new FormInvalid('headers too long');
      const colon = text.indexOf(':');
      if (colon > 0) headers.set(text.slice(0, colon).trim().toLowerCase(), text.slice(colon + 1).trim());
    }
    let done = false;
    const read = async (): Promise<Buffer | null> => {
      if (done) return null;
      for (;;) {
        const at = buffer.indexOf(separator);
        if (at >= 0) {
          const part = buffer.subarray(0, at);
          if (part.length) {
            buffer = buffer.subarray(at);
            return part;
          }
          buffer = buffer.subarray(separator.length);
          while (buffer.length < 2 && (await more()));
          last = buffer.length < 2 || buffer.toString('latin1', 0, 2) === '--';
          buffer = buffer.subarray(2);
          done = true;
          return null;
        }
        const safe = buffer.length - separator.length;
        if (safe > 0) {
          const part = buffer.subarray(0, safe);
          buffer = buffer.subarray(safe);
          return part;
        }
        if (!(await more())) {
          done = true;
          last = true;
          const part = buffer;
          buffer = Buffer.alloc(0);
          return part.length ? part : null;
        }
      }
    };
    yield { headers, read };
    while ((await read()) !== null);
    if (ended && buffer.length === 0) last = true;
  }
}
