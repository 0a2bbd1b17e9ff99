import type { Database } from '@folsom/db';
import type { ApiParts } from '../parts.ts';

/** Version 2 always has the database. */
export type V2Parts = ApiParts & { db: Database };
