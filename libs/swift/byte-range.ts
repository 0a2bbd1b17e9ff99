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
const NUMBER = /^\s*\+?(\d{1,15})\s*$/;

/** One of the ranges asked for: first byte (negative: counted from the end) and the one after the last, if it says. */
type Asked = [start: number, end: number | null];

/** The ranges of a header; null if it is none that can be understood. */
function askedOf(header: string): Asked[] | null {
  const form = /^\s*bytes\s*=(.*)$/i.exec(header);
  if (!form) return null;
  const asked: Asked[] = [];
  for (const text of form[1]!.split(',')) {
    const before: Asked | undefined = asked[asked.length - 1];
    // Ranges come in order, and nothing follows one that goes to the end.
    if (before && before[1] === null) return null;
    const suffix = /^-(\d{1,15})\s*$/.exec(text);
    if (suffix) {
      asked.push([0 - Number(suffix[1]), null]);
      continue;
    }
    const dash = text.indexOf('-');
    const first = NUMBER.exec(dash < 0 ? '' : text.slice(0, dash));
    if (!first) return null;
    const start = Number(first[1]);
    if (before && start < before[1]!) return null;
    const lastText = text.slice(dash + 1);
    const last = NUMBER.exec(lastText);
    if (last === null && lastText.trim() !== '') return null;
    if (last !== null && start > Number(last[1])) return null;
    asked.push([start, last === null ? null : Number(last[1]) + 1]);
  }
  return asked;
}

const shownAs = ([start, end]: Asked): string =>
  end === null ? (start < 0 ? `${start}` : `${start}-`) : `${start}-${end - 1}`;

/**
 * Reads a Range header for a body of `size` bytes as swift 1.7 does: several ranges at once, or a suffix longer than
 * the body, cannot be had; `bytes=-0` is all of it.
 */
export function readRange(header: string | undefined, size: number): RangeAnswer {
  const asked = header === undefined ? null : askedOf(header);
  if (asked === null) return WHOLE;
  const unsatisfiable: RangeAnswer = {
    kind: 'unsatisfiable',
    shown: `bytes=${asked.map(shownAs).join(',')}`,
  };
  if (asked.length !== 1) return unsatisfiable;
  const [start, end] = asked[0]!;
  if (start < 0) return -start > size ? unsatisfiable : { kind: 'part', start: size + start, end: size };
  if (start >= size) return unsatisfiable;
  return { kind: 'part', start, end: end === null ? size : Math.min(end, size) };
}
