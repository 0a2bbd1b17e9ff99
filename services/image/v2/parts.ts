import type { Database } from '@folsom/db';
import type { ApiParts } from '../parts.ts';
import type { ImageSchema } from './schema.ts';

/** Version 2 always has the database. */
export type V2Parts = ApiParts & { db: Database };

/** What its operations work with: with the operator's schema of an image. */
export type V2Api = V2Parts & { schema: ImageSchema };
