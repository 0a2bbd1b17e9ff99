import Type from 'typebox';
import { integer } from '../../domain/values.ts';
import type { Caller } from './api.ts';
import { badRequest } from './faults.ts';
import { readBy } from './shapes.ts';

const count = (name: string) =>
  Type.Optional(
    readBy((value): number => {
      const number = integer(value);
      if (number === undefined) throw badRequest(`${name} param must be an integer`);
      if (number < 0) throw badRequest(`${name} param must be positive`);
      return number;
    }),
  );

/** A page of a listing that goes on after an item. */
export const markerQuery = Type.Object({ limit: count('limit'), marker: Type.Optional(Type.String()) });

/** A page of a whole list. */
export const offsetQuery = Type.Object({ limit: count('limit'), offset: count('offset') });

/** Within what the operator allows; a limit of 0 is none. */
export function pageByOffset(
  caller: Caller,
  { limit, offset }: { limit?: number; offset?: number },
): { offset: number; limit: number } {
  const max = caller.api.config.osapi_max_limit;
  return { offset: offset ?? 0, limit: Math.min(max, limit || max) };
}
