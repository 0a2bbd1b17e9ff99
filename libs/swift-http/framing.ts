import { must } from '@folsom/core';
import { HTTP_LIMITS } from './limits.ts';
import { BadFraming } from './message.ts';

const LF = 10;
const CR = 13;
/** None of them says where a body ends. */
const TRAILER = /^(?!(?:content-length|transfer-encoding):)[!#$%&'*+\-.^_`|~0-9A-Za-z]+:/i;
const HEX_SIZE = /^(0[xX])?([0-9a-fA-F]{1,12})(;.*)?$/;

/**
 * Reads chunked framing, of requests and of answers. Lines end in CR LF and in nothing else; sizes are hexadecimal
 * digits. A size may be written as Python's `hex()` writes it, since clients of 2012 do: {@link foreign} then says
 * that the connection must not carry anything after this body.
 */
export class ChunkDecoder {
  /** The body and its trailers are over. */
  done = false;
  /** Whether anything was framed in a way another reader might take for something else. */
  foreign = false;
  private phase: 'size' | 'data' | 'data-end' | 'trailer' = 'size';
  private remaining = 0;
  private line: Buffer | null = null;
  private extensionBytes = 0;
  private trailerBytes = 0;
  private trailers = 0;
  private readonly push: (piece: Buffer) => void;

  /** @param push takes the pieces of the body in their order */
  constructor(push: (piece: Buffer) => void) {
    this.push = push;
  }

  /** Takes bytes; gives those behind the end of the body, if any. Throws {@link BadFraming}. */
  feed(input: Buffer): Buffer | null {
    let data = this.line ? Buffer.concat([this.line, input]) : input;
    this.line = null;
    while (data.length) {
      if (this.phase === 'data') {
        const part = data.length <= this.remaining ? data : data.subarray(0, this.remaining);
        this.remaining -= part.length;
        data = data.subarray(part.length);
        this.push(part);
        if (this.remaining === 0) this.phase = 'data-end';
        continue;
      }
      const end = data.indexOf(LF);
      const length = end < 0 ? data.length : end + 1;
      this.checkLength(length);
      if (end < 0) {
        // What is fed may be memory that others read into next.
        this.line = Buffer.from(data);
        return null;
      }
      if (end === 0 || data[end - 1] !== CR) throw new BadFraming('a line of chunk framing ends in CR LF');
      const text = data.toString('latin1', 0, end - 1);
      data = data.subarray(length);
      this.takeLine(text, length);
      if (this.done) return data.length ? data : null;
    }
    return null;
  }

  private checkLength(length: number): void {
    if (this.phase === 'data-end' && length > 2) throw new BadFraming('chunk longer than announced');
    if (this.phase === 'trailer' && this.trailerBytes + length > HTTP_LIMITS.trailerBytesMax)
      throw new BadFraming('trailers too long');
    if (length > HTTP_LIMITS.chunkLineBytesMax) throw new BadFraming('chunk line too long');
  }

  private takeLine(text: string, length: number): void {
    if (/[\x00-\x08\x0a-\x1f\x7f]/.test(text)) throw new BadFraming('control bytes in chunk framing');
    if (this.phase === 'data-end') {
      this.phase = 'size';
      return;
    }
    if (this.phase === 'trailer') {
      if (text === '') {
        this.done = true;
        return;
      }
      this.trailerBytes += length;
      this.trailers += 1;
      if (this.trailers > HTTP_LIMITS.trailerCountMax) throw new BadFraming('too many trailers');
      if (!TRAILER.test(text)) throw new BadFraming('bad trailer');
      return;
    }
    const match = HEX_SIZE.exec(text);
    if (!match) throw new BadFraming('bad chunk size');
    if (match[1]) this.foreign = true;
    this.extensionBytes += match[3]?.length ?? 0;
    if (this.extensionBytes > HTTP_LIMITS.chunkExtensionBytesMax)
      throw new BadFraming('chunk extensions too long');
    this.remaining = Number.parseInt(must(match[2], 'the pattern has group 2'), 16);
    this.phase = this.remaining === 0 ? 'trailer' : 'data';
  }
}

/** The bytes around a chunk of a chunked body that is sent. */
export const chunkHead = (length: number): string => `${length.toString(16)}\r\n`;
export const CHUNK_END = '\r\n';
export const LAST_CHUNK = '0\r\n\r\n';
