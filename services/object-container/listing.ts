import { setImmediate as others } from 'node:timers/promises';
import {
  type ContainerDb,
  compareNames,
  DbQuarantined,
  type ListedObject,
  type ListingQuery,
  type ListingType,
  listRows,
  type NameBounds,
  objectJsonItems,
  objectsAsText,
  objectXmlItems,
  objectXmlStart,
  plainBounds,
  prepareListing,
} from '@folsom/container-db';

/** Rows taken at a time, so that no request has to wait for the whole of another's long listing. */
const STEP_ROWS: Record<ListingType, number> = {
  'text/plain': 1000,
  // A row takes ten times as long.
  'application/json': 250,
  'application/xml': 250,
  'text/xml': 250,
};
const ROLLED_STEP_ROWS = 500;
/** A listing whose steps have become so many more than they were is made anew. */
const SPLIT_MAX = 4;

/** Part of a listing: the rows behind the part before it, up to `last`. */
interface ListingStep {
  bytes: Buffer;
  count: number;
  /** A name that is or was its last. */
  last: string;
}

/** A listing without delimiter, in the order of names. */
export interface ListingSteps {
  steps: readonly ListingStep[];
  /** Whether nothing comes behind them. */
  ended: boolean;
}

/** The steps of a listing made before, and the names of the rows that changed since. */
export interface KeptSteps extends ListingSteps {
  changed: readonly string[];
}

export interface MadeListing {
  body: Buffer;
  /** Null for one that cannot be mended. */
  steps: ListingSteps | null;
}

/** The database, anew for every step: it may have been replaced. */
type Open = () => ContainerDb | null;

/**
 * A listing in the type asked for, put together step by step; each step sees the container as it is then, like the
 * pages of one that asks again with a marker. Undelimited text and JSON are made by SQLite itself.
 * @param kept what to go on from, if there is anything
 */
export async function makeListing(
  open: Open,
  listing: ListingQuery,
  type: ListingType,
  container: string,
  kept: KeptSteps | null = null,
): Promise<MadeListing> {
  const opened = (): ContainerDb => {
    const db = open();
    // Half a listing would look like a whole one.
    if (!db) throw new DbQuarantined(`the database of ${container} went away`);
    return db;
  };
  if (prepareListing(listing).delimiter) {
    const parts = await rolledUp(opened, listing, type);
    return { body: bodyOf(type, container, parts), steps: null };
  }
  const steps = await plainSteps(opened, listing, type, kept);
  return {
    body: bodyOf(
      type,
      container,
      steps.steps.map(({ bytes }) => bytes),
    ),
    steps,
  };
}

async function plainSteps(
  opened: () => ContainerDb,
  listing: ListingQuery,
  type: ListingType,
  kept: KeptSteps | null,
): Promise<ListingSteps> {
  const steps: ListingStep[] = [];
  let left = listing.limit;
  /** Makes what comes next, up to a name; false if there was no room for all of it. */
  const make = async (upTo: string | null, size: number): Promise<boolean> => {
    while (left > 0) {
      const bounds = plainBounds({ ...listing, marker: steps.at(-1)?.last ?? listing.marker });
      if (upTo !== null) bounds.upTo = upTo;
      const limit = Math.min(size, left);
      const step = stepOf(opened(), bounds, limit, type);
      if (step.count > 0) steps.push(step);
      left -= step.count;
      if (step.count < limit) return true;
      if (left > 0) await others();
    }
    return false;
  };
  const rows = STEP_ROWS[type];
  const few = kept !== null && kept.steps.length <= (SPLIT_MAX * listing.limit) / rows + 1;
  const plan = few ? planOf(kept, rows) : ANEW;
  for (const { step, changed } of plan.steps) {
    if (!changed && step.count <= left) {
      steps.push(step);
      left -= step.count;
    } else if (!(await make(step.last, 2 * rows))) return { steps, ended: false };
  }
  return { steps, ended: plan.ended || (await make(null, rows)) };
}

interface Plan {
  steps: { step: ListingStep; changed: boolean }[];
  ended: boolean;
}

const ANEW: Plan = { steps: [], ended: false };

/** Which steps have to be made anew, and whether anything may have come behind the last. */
function planOf(kept: KeptSteps, rows: number): Plan {
  const steps = kept.steps.map(step => ({ step, changed: false }));
  let { ended } = kept;
  for (const name of kept.changed) {
    const within = steps.find(({ step }) => compareNames(name, step.last) <= 0);
    if (within) within.changed = true;
    else ended = false;
  }
  // What is added at the end fills up the last step first.
  const last = steps.at(-1);
  if (!ended && last && last.step.count < rows) steps.pop();
  return { steps, ended };
}

function stepOf(db: ContainerDb, bounds: NameBounds, limit: number, type: ListingType): ListingStep {
  if (type === 'text/plain') {
    const { text, count, last } = db.textFrom(bounds, limit);
    return { bytes: Buffer.from(text), count, last };
  }
  if (type === 'application/json') {
    const { text, count, last } = db.jsonFrom(bounds, limit);
    return { bytes: Buffer.from(text, 'latin1'), count, last };
  }
  const rows = db.allFrom(bounds, limit);
  return { bytes: Buffer.from(objectXmlItems(rows)), count: rows.length, last: rows.at(-1)?.[0] ?? '' };
}

/** Names rolled up at a delimiter. */
async function rolledUp(
  opened: () => ContainerDb,
  listing: ListingQuery,
  type: ListingType,
): Promise<Buffer[]> {
  const form =
    type === 'application/json' ? objectJsonItems : type === 'text/plain' ? objectsAsText : objectXmlItems;
  const parts: Buffer[] = [];
  let rest = listing;
  while (rest.limit > 0) {
    const db = opened();
    const limit = Math.min(ROLLED_STEP_ROWS, rest.limit);
    const rows = listRows<ListedObject>(
      { ...rest, limit },
      (bounds, most) => db.rowsFrom(bounds, most),
      name => [name, '0', 0, null, ''],
    );
    if (rows.length > 0) parts.push(Buffer.from(form(rows)));
    if (rows.length < limit) break;
    rest = { ...rest, marker: rows.at(-1)?.[0] ?? '', limit: rest.limit - rows.length };
    if (rest.limit > 0) await others();
  }
  return parts;
}

const COMMA = Buffer.from(', ');

function bodyOf(type: ListingType, container: string, parts: readonly Buffer[]): Buffer {
  if (type === 'text/plain') return Buffer.concat(parts);
  if (type !== 'application/json')
    return Buffer.concat([Buffer.from(objectXmlStart(container)), ...parts, Buffer.from('</container>')]);
  const items = parts.flatMap((part, i) => (i === 0 ? [part] : [COMMA, part]));
  return Buffer.concat([Buffer.from('['), ...items, Buffer.from(']')]);
}
