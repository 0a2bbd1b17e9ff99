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
    throw fault('Conflict', { type, details: `(IntegrityError) ${driverText(type, error as Error)}` });
  }
}

/** As the Python drivers put it, each in its own words. */
function driverText(type: string, error: Error): string {
  const { errno, sqlMessage } = error as { errno?: number; sqlMessage?: string };
  if (errno === 1062) return `(1062, ${JSON.stringify(sqlMessage ?? '')})`;
  return `UNIQUE constraint failed: ${type}.${/\.id\b/.test(error.message) ? 'id' : 'name'}`;
}
