import { isDuplicate } from '@folsom/db';
import { fault } from '../faults.ts';

/** Runs a write; a row that exists already becomes the original's 409. */
export async function refuseDuplicates<T>(
  type: 'tenant' | 'user' | 'role',
  write: () => Promise<T>,
): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (!isDuplicate(error)) throw error;
    const column = /\.id\b|'PRIMARY'/.test((error as Error).message) ? 'id' : 'name';
    throw fault('Conflict', {
      type,
      details: `(IntegrityError) UNIQUE constraint failed: ${type}.${column}`,
    });
  }
}
