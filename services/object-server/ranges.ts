/** The bytes of an object that a Range header asks for. */
export type RangeAnswer =
  /** No range, or one that is none: the whole object. */
  | { kind: 'whole' }
  /** First byte and the one after the last. */
  | { kind: 'part'; start: number; end: number }
  /** `shown` is the header as the answer repeats it. */
  | { kind: 'unsatisfiable'; shown: string };

const WHOLE: RangeAnswer = { kind: 'whole' };

/** Reads a Range header as swift 1.7 does: several ranges at once, or a suffix longer than the object, are refused. */
export function readRange(header: string | undefined, size: number): RangeAnswer {
  if (header === undefined) return WHOLE;
  const form = /^\s*bytes\s*=(.*)$/i.exec(header);
  if (!form) return WHOLE;
  const ranges: [number, number | null][] = [];
  for (const text of form[1]!.split(',')) {
    const range = /^\s*(\d*)\s*-\s*(\d*)\s*$/.exec(text);
    if (!range || (range[1] === '' && range[2] === '')) return WHOLE;
    if (range[1] === '') ranges.push([-Number(range[2]), null]);
    else if (range[2] === '') ranges.push([Number(range[1]), null]);
    else if (Number(range[1]) > Number(range[2])) return WHOLE;
    else ranges.push([Number(range[1]), Number(range[2])]);
  }
  const shown = `bytes=${ranges.map(([start, end]) => (end === null ? (start < 0 ? start : `${start}-`) : `${start}-${end}`)).join(',')}`;
  const unsatisfiable: RangeAnswer = { kind: 'unsatisfiable', shown };
  if (ranges.length !== 1) return unsatisfiable;
  const [start, last] = ranges[0]!;
  if (start < 0) {
    return -start > size ? unsatisfiable : { kind: 'part', start: size + start, end: size };
  }
  if (start >= size) return unsatisfiable;
  return { kind: 'part', start, end: last === null ? size : Math.min(last + 1, size) };
}
