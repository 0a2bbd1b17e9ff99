import { must } from '@folsom/core';

// A library's parser (range-parser) reads by the RFC alone; swift's answers, which are recorded, follow WebOb: signs and blanks as in
// Python, what is no range is none, and a refusal repeats the header in its own spelling.

/** The bytes of a body that a Range header asks for. */
export type RangeAnswer =
  /** No range, or one that is none: the whole body. */
  | { kind: 'whole' }
  /** First byte and the one after the last. */
  | { kind: 'part'; start: number; end: number }
  /** `shown` is the header as the answer repeats it. */
  | { kind: 'unsatisfiable'; shown: string };

const WHOLE: RangeAnswer = { kind: 'whole' };

/** A whole number as Python reads it: blanks around it and a plus sign are allowed. */
const NUMBER = /^\s*\+?(\d+)\s*$/;

/** One of the ranges asked for. */
interface Asked {
  /** First byte; negative: counted from the end. */
  start: number;
  /** The one after the last, if it says. */
  end: number | null;
  /** As an answer repeats it. */
  shown: string;
}

const plain = (digits: string): string => digits.replace(/^0+(?=\d)/, '');

/** The ranges of a header; null if it is none that can be understood. */
function askedOf(header: string): Asked[] | null {
  const form = /^\s*bytes\s*=(.*)$/i.exec(header);
  if (!form) return null;
  const asked: Asked[] = [];
  for (const text of must(form[1], 'the pattern has group 1').split(',')) {
    const before = asked.at(-1);
    // Ranges come in order, and nothing follows one that goes to the end.
    if (before?.end === null) return null;
    const suffix = /^-(\d+)\s*$/.exec(text);
    if (suffix) {
      const digits = plain(must(suffix[1], 'the pattern has group 1'));
      asked.push({ start: 0 - Number(digits), end: null, shown: digits === '0' ? '0-' : `-${digits}` });
      continue;
    }
    const dash = text.indexOf('-');
    const first = NUMBER.exec(dash < 0 ? '' : text.slice(0, dash))?.[1];
    if (first === undefined) return null;
    const start = Number(first);
    if (before && start < must(before.end, 'end is there')) return null;
    const lastText = text.slice(dash + 1);
    const last = NUMBER.exec(lastText)?.[1];
    if (last === undefined && lastText.trim() !== '') return null;
    if (last !== undefined && start > Number(last)) return null;
    asked.push({
      start,
      end: last === undefined ? null : Number(last) + 1,
      shown: `${plain(first)}-${last === undefined ? '' : plain(last)}`,
    });
  }
  return asked;
}

/**
 * Reads a Range header for a body of `size` bytes as swift 1.7 does: several ranges at once, or a suffix longer than
 * the body, cannot be had; `bytes=-0` is all of it.
 */
export function readRange(header: string | undefined, size: number): RangeAnswer {
  const asked = header === undefined ? null : askedOf(header);
  if (asked === null) return WHOLE;
  const unsatisfiable: RangeAnswer = {
    kind: 'unsatisfiable',
    shown: `bytes=${asked.map(({ shown }) => shown).join(',')}`,
  };
  if (asked.length !== 1) return unsatisfiable;
  const { start, end } = must(asked[0], 'asked is not empty');
  if (start < 0) return -start > size ? unsatisfiable : { kind: 'part', start: size + start, end: size };
  if (start >= size) return unsatisfiable;
  return { kind: 'part', start, end: end === null ? size : Math.min(end, size) };
}
