import { type FileHandle, open } from 'node:fs/promises';
import type { LogLine } from '@folsom/console-web';
import { describe, type LogEntry, type LogFilter, lineFilter, serviceOf } from './log-entry.ts';

export interface Found {
  /** The latest first. */
  lines: LogLine[];
  /** Where a search for earlier ones goes on; null where there are none. */
  before: string | null;
}

/** Read at a time: what is done with it takes less than a millisecond. */
const CHUNK_BYTES = 32 * 1024;
/** The log's own lines are shorter by far. */
const LINE_BYTES_MAX = 1024 * 1024;

export interface SearchLimits {
  lines: number;
  /** Read for one search, however few lines were found. */
  bytes: number;
}
const LIMITS: SearchLimits = { lines: 100, bytes: 64 * 1024 * 1024 };

/**
 * Looks for lines of the log and of its predecessor, from the end on.
 *
 * @param before where an earlier search ended (`Found.before`); a place that is gone has nothing before it
 */
export async function searchLog(
  log: string,
  filter: LogFilter & { before?: string | undefined },
  signal?: AbortSignal,
  limits = LIMITS,
): Promise<Found> {
  const wanted = lineFilter(filter);
  const lines: LogLine[] = [];
  let bytesLeft = limits.bytes;
  let place = placeOf(filter.before);
  let read: number | undefined;
  for (const path of [log, `${log}.1`]) {
    const file = await openOrNone(path);
    if (file === undefined) continue;
    try {
      const { ino, size } = await file.stat();
      // The log may be renamed meanwhile.
      if (ino === read || (place !== undefined && place.ino !== ino)) continue;
      read = ino;
      let end = Math.min(place?.at ?? size, size);
      // What comes before is in the predecessor.
      place = undefined;
      for await (const { at, line } of linesBackwards(file, end)) {
        signal?.throwIfAborted();
        bytesLeft -= end - at;
        end = at;
        const entry = wanted(line);
        if (entry !== undefined) lines.push(shown(entry));
        if (lines.length >= limits.lines || bytesLeft <= 0) return { lines, before: `${ino}:${at}` };
      }
    } finally {
      await file.close();
    }
  }
  return { lines, before: null };
}

/** Lines that end before a place, the last first, each with where it begins. */
async function* linesBackwards(file: FileHandle, from: number): AsyncGenerator<{ at: number; line: string }> {
  let start = from;
  /** The beginning of what has been read, of a line that begins earlier. */
  let cut = Buffer.alloc(0);
  while (start > 0) {
    const length = Math.min(CHUNK_BYTES, start);
    start -= length;
    const chunk = Buffer.alloc(length);
    const { bytesRead } = await file.read(chunk, 0, length, start);
    if (bytesRead < length) return;
    const bytes = cut.length > LINE_BYTES_MAX ? chunk : Buffer.concat([chunk, cut]);
    let end = bytes.length;
    for (let at = lastNewline(bytes, end); at >= 0; at = lastNewline(bytes, end)) {
      if (at + 1 < end) yield { at: start + at + 1, line: bytes.toString('utf8', at + 1, end) };
      end = at;
    }
    cut = bytes.subarray(0, end);
  }
  if (cut.length > 0) yield { at: 0, line: cut.toString('utf8') };
}

const lastNewline = (bytes: Buffer, before: number): number =>
  before === 0 ? -1 : bytes.lastIndexOf(10, before - 1);

const shown = (entry: LogEntry): LogLine => ({
  time: entry.time,
  level: entry.level,
  service: serviceOf(entry),
  requestId: entry.requestId ?? null,
  tenant: entry.tenant ?? null,
  what: describe(entry),
});

/** A file, by its number since the log is renamed when it has grown, and an offset in it. */
function placeOf(text: string | undefined): { ino: number; at: number } | undefined {
  const [, ino, at] = /^(\d{1,16}):(\d{1,16})$/.exec(text ?? '') ?? [];
  return ino === undefined ? undefined : { ino: Number(ino), at: Number(at) };
}

async function openOrNone(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}
