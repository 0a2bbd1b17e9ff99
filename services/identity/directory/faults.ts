import type { Fault } from '@folsom/core';
import { ResultCodeError } from 'ldapts';
import { fault, invalid } from '../faults.ts';
import type { Kind } from './layout.ts';

/** The directory does not answer, or not in time, or not to us. */
export class DirectoryAway extends Error {
  override readonly name = 'DirectoryAway';
}

/** What a directory says in numbers (RFC 4511), as far as somebody looks for them. */
export const CODES = {
  noSuchAttribute: 16,
  attributeOrValueExists: 20,
  noSuchObject: 32,
  invalidDnSyntax: 34,
  entryAlreadyExists: 68,
} as const;

/** Of the directory itself: tomorrow, or a moment from now, the same may be done. */
const AWAY = new Set([1, 2, 3, 4, 11, 12, 49, 51, 52, 80]);
/** Strong authentication or confidentiality required, insufficient rights, unwilling. */
const FORBIDDEN = new Set([7, 8, 13, 48, 50, 53]);
/** Undefined type, constraint, syntax, naming, class, RDN. */
const UNFIT = new Set([17, 18, 19, 21, 34, 64, 65, 67, 69, 71]);

/** The code of a refusal; null for anything else. */
export const codeOf = (error: unknown): number | null =>
  error instanceof ResultCodeError ? error.code : null;

/** Those that mean something to the caller of an operation. */
const EXPECTED = new Set<number>(Object.values(CODES));

/** What an error of the client library means to the caller: itself where it is a code of {@link CODES}, else a fault. */
export function meaning(error: unknown, doing: 'searching' | 'changing'): unknown {
  const code = codeOf(error);
  if (code === null || AWAY.has(code))
    return new DirectoryAway(`the directory does not answer: ${(error as Error).message}`, { cause: error });
  if (EXPECTED.has(code)) return error;
  if (doing === 'changing' && FORBIDDEN.has(code)) return readOnly((error as Error).message);
  if (doing === 'changing' && UNFIT.has(code))
    return invalid(`The directory cannot keep this: ${(error as Error).message}`);
  return new DirectoryAway(`the directory refuses a search: ${(error as Error).message}`, { cause: error });
}

/** The directory, or its options, do not let us. */
const readOnly = (reason: string): Fault =>
  fault('Forbidden', {}, { message: `The directory does not allow this change. ${reason}` });

export function assertAllowed(kind: Kind, what: keyof Kind['allowed']): void {
  if (!kind.allowed[what]) throw readOnly(`[ldap] ${kind.name}_allow_${what} is off`);
}
