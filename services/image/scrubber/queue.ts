import { chmod, mkdir, open, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';

/** A deleted image whose bytes wait for removal. */
export interface ScrubEntry {
  imageId: string;
  location: string;
  /** Milliseconds since the epoch from which on the bytes may go. */
  dueAt: number;
}

/** Folsom's scrubber queue: one file an image, holding the location and the time in seconds. */
export interface ScrubQueue {
  /** Adds an image deleted at `now`; nothing happens if it is queued already. */
  add(imageId: string, location: string, now: number): Promise<void>;
  /** Entries that are due. */
  due(now: number): Promise<ScrubEntry[]>;
  /** Puts an entry off. */
  postpone(entry: ScrubEntry, dueAt: number): Promise<void>;
  remove(imageId: string): Promise<void>;
  /** When the database was last searched for forgotten entries, or null. */
  lastCleanup(): Promise<number | null>;
  noteCleanup(now: number): Promise<void>;
}

const CLEANUP_FILE = '.cleanup';
const FILE_MODE = 0o600;

export function scrubQueue(directory: string, delaySeconds: number): ScrubQueue {
  const pathOf = (imageId: string): string => {
    if (!/^[\w{}:-]{1,64}$/.test(imageId)) throw new Error('not the id of an image');
    return join(directory, imageId);
  };
  const write = async (path: string, text: string, atMs: number, flags: 'wx' | 'w'): Promise<void> => {
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const seconds = Math.floor(atMs / 1000);
    const file = await open(path, flags, FILE_MODE);
    try {
      await file.writeFile(`${text}\n${seconds}`);
      await file.sync();
    } finally {
      await file.close();
    }
    await chmod(path, FILE_MODE);
    await utimes(path, seconds, seconds);
  };
  const read = async (path: string): Promise<{ text: string; atMs: number } | null> => {
    const [text = '', seconds = ''] = (await readFile(path, 'utf8')).split('\n').map(line => line.trim());
    return /^\d+$/.test(seconds) ? { text, atMs: Number(seconds) * 1000 } : null;
  };

  return {
    add: async (imageId, location, now) => {
      try {
        await write(pathOf(imageId), location, now + delaySeconds * 1000, 'wx');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      }
    },
    due: async now => {
      const entries: ScrubEntry[] = [];
      const names = await readdir(directory).catch(() => []);
      for (const name of names) {
        if (name.startsWith('.') || !/^[\w{}:-]{1,64}$/.test(name)) continue;
        const path = join(directory, name);
        const found = await stat(path).catch(() => null);
        if (!found?.isFile() || found.mtimeMs > now) continue;
        const note = await read(path).catch(() => null);
        if (note && note.atMs <= now) entries.push({ imageId: name, location: note.text, dueAt: note.atMs });
      }
      return entries;
    },
    postpone: async (entry, dueAt) => write(pathOf(entry.imageId), entry.location, dueAt, 'w'),
    remove: async imageId => rm(pathOf(imageId), { force: true }),
    lastCleanup: async () => {
      const note = await read(join(directory, CLEANUP_FILE)).catch(() => null);
      return note?.atMs ?? null;
    },
    noteCleanup: async now => write(join(directory, CLEANUP_FILE), 'cleanup', now, 'w'),
  };
}
