import { setImmediate as others } from 'node:timers/promises';
import {
  type ContainerDb,
  DbQuarantined,
  type ListedObject,
  type ListingQuery,
  type ListingType,
  listRows,
  objectJsonItems,
  objectsAsText,
  objectXmlItems,
  objectXmlStart,
  plainBounds,
  prepareListing,
} from '@folsom/container-db';

/** Rows taken at a time, so that no request has to wait for the whole of another's long listing. */
const STEP = { text: 5000, json: 1000, rows: 500 } as const;

/** Part of a listing. */
interface Step {
  text: string;
  count: number;
  /** The last name in it. */
  last: string;
}

/**
 * A listing in the type asked for, put together step by step; each step sees the container as it is then, like the
 * pages of one that asks again with a marker. Undelimited text and JSON are made by SQLite itself.
 * @param open the database, anew for every step: it may have been replaced
 */
export async function listingText(
  open: () => ContainerDb | null,
  listing: ListingQuery,
  type: ListingType,
  container: string,
): Promise<string> {
  const plain = !prepareListing(listing).delimiter;
  const size =
    plain && type === 'text/plain' ? STEP.text : plain && type === 'application/json' ? STEP.json : STEP.rows;
  const parts: string[] = [];
  let rest = listing;
  while (rest.limit > 0) {
    const db = open();
    // Half a listing would look like a whole one.
    if (!db) throw new DbQuarantined(`the database of ${container} went away`);
    const limit = Math.min(size, rest.limit);
    const step = stepOf(db, { ...rest, limit }, type, plain);
    if (step.count > 0) parts.push(step.text);
    if (step.count < limit) break;
    rest = { ...rest, marker: step.last, limit: rest.limit - step.count };
    if (rest.limit > 0) await others();
  }
  if (type === 'application/json') return `[${parts.join(', ')}]`;
  return type === 'text/plain' ? parts.join('') : `${objectXmlStart(container)}${parts.join('')}</container>`;
}

function stepOf(db: ContainerDb, listing: ListingQuery, type: ListingType, plain: boolean): Step {
  if (plain && type === 'text/plain') return db.textFrom(plainBounds(listing), listing.limit);
  if (plain && type === 'application/json') return db.jsonFrom(plainBounds(listing), listing.limit);
  const rows = listRows<ListedObject>(
    listing,
    (bounds, limit) => (plain ? db.allFrom(bounds, limit) : db.rowsFrom(bounds, limit)),
    name => [name, '0', 0, null, ''],
  );
  const form =
    type === 'application/json' ? objectJsonItems : type === 'text/plain' ? objectsAsText : objectXmlItems;
  return { text: form(rows), count: rows.length, last: rows.at(-1)?.[0] ?? '' };
}
