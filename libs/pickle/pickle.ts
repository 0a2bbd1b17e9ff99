/**
 * Python pickles as data, and only as data: protocols 0 to 2, nothing that could name or call code. Swift keeps
 * object metadata, suffix hashes, pending updates and ring builders in pickles.
 *
 * Python value → here: None → null, bool → boolean, int and long → number (bigint when it would lose digits),
 * float → number, str and unicode → string, list and tuple → array, dict → object without prototype.
 * Two things a reader cannot tell apart afterwards (tuple from list, 1.0 from 1) are marked when writing, by
 * {@link pyTuple} and {@link pyFloat}.
 */

export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Uint16Array
  | readonly Pickled[]
  | PyTuple
  | PyFloat
  | { readonly [key: string]: Pickled | undefined };

/** How the bytes of a Python str map to a string: as UTF-8 text, or one character a byte as in HTTP headers. */
export type PickleStrings = 'utf8' | 'latin1';

export class PickleError extends Error {
  override readonly name = 'PickleError';
}

/** A tuple to be written. */
export class PyTuple {
  readonly items: readonly Pickled[];
  constructor(items: readonly Pickled[]) {
    this.items = items;
  }
}
export const pyTuple = (...items: Pickled[]): PyTuple => new PyTuple(items);

/** A float to be written, even if its value is whole. */
export class PyFloat {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}
export const pyFloat = (value: number): PyFloat => new PyFloat(value);

/** Whether a value read from a pickle is a dict. */
export const isDict = (value: unknown): value is Record<string, Pickled> =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !ArrayBuffer.isView(value) &&
  !(value instanceof PyTuple) &&
  !(value instanceof PyFloat);
