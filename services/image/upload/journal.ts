import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { pid } from 'node:process';
import type { World } from '@folsom/core';

/**
 * How an upload began: `create` made the image with it, `put` and `copy` fill a reserved one, `data` is version 2. `delete`
 * is no upload but the removal of an image's bytes after the image.
 */
export type UploadKind = 'create' | 'put' | 'copy' | 'data' | 'delete';

/** What is noted about an upload or a removal in progress. */
export interface UploadNote {
  imageId: string;
  kind: UploadKind;
  /** Scheme of the store the bytes go to. */
  scheme: string;
  owner: string | null;
  /** Milliseconds since the epoch. */
  startedAt: number;
}

interface StoredNote extends UploadNote {
  host: string;
  pid: number;
  /** Tells a process from a later one of the same number. */
  processStart: string;
  instance: string;
}

export interface OpenNote {
  /** The upload is over and nothing needs cleaning up. */
  close(): Promise<void>;
}

/** Uploads in progress, on disk: what a process that died leaves here is cleaned up by the next. */
export interface UploadJournal {
  /** Resolves when the note is durable. */
  open(note: UploadNote): Promise<OpenNote>;
  /** Notes of processes of this host that are gone. */
  abandoned(): Promise<(UploadNote & OpenNote)[]>;
  close(): void;
}

/** Journals of this very process that are open: their notes are never abandoned. */
const instances = new Set<string>();

export async function uploadJournal(directory: string, world: World): Promise<UploadJournal> {
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const host = hostname();
  const processStart = (await startOf(pid)) ?? '';
  const instance = world.random.hex(16);
  instances.add(instance);

  const isAbandoned = async (note: StoredNote): Promise<boolean> => {
    if (note.host !== host) return false;
    if (note.pid === pid && note.processStart === processStart) return !instances.has(note.instance);
    return (await startOf(note.pid)) !== note.processStart;
  };

  return {
    open: async note => {
      if (!/^[\w{}:-]{1,64}$/.test(note.imageId)) throw new Error('not the id of an image');
      const stored: StoredNote = { ...note, host, pid, processStart, instance };
      const path = join(directory, `${note.imageId}.${pid}-${world.random.hex(8)}.json`);
      await writeDurably(path, JSON.stringify(stored));
      return { close: () => rm(path, { force: true }) };
    },
    abandoned: async () => {
      const found: (UploadNote & OpenNote)[] = [];
      for (const name of await readdir(directory)) {
        const path = join(directory, name);
        // A note that was not finished: its upload had not begun.
        const unfinished = /\.(\d+)-[0-9a-f]+\.json\.new$/.exec(name)?.[1];
        if (unfinished !== undefined && (await startOf(Number(unfinished))) === null) {
          await rm(path, { force: true });
        }
        if (!name.endsWith('.json')) continue;
        let note: StoredNote;
        try {
          note = JSON.parse(await readFile(path, 'utf8')) as StoredNote;
        } catch (error) {
          world.log.warn('unreadable upload note passed over', { file: name, error });
          continue;
        }
        if (await isAbandoned(note)) found.push({ ...note, close: () => rm(path, { force: true }) });
      }
      return found;
    },
    close: () => {
      instances.delete(instance);
    },
  };
}

/** A journal for hosts that have no directory for one: nothing survives the process. */
export const volatileJournal: UploadJournal = {
  open: async () => ({ close: async () => {} }),
  abandoned: async () => [],
  close: () => {},
};

async function writeDurably(path: string, text: string): Promise<void> {
  const aside = `${path}.new`;
  const file = await open(aside, 'wx', 0o640);
  try {
    await file.writeFile(text);
    await file.datasync();
  } finally {
    await file.close();
  }
  await rename(aside, path);
  const directory = await open(join(path, '..'), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** When a process began, in clock ticks since boot; null when there is none of that number. */
async function startOf(id: number): Promise<string | null> {
  try {
    const text = await readFile(`/proc/${id}/stat`, 'utf8');
    // The name in parentheses may hold blanks; the 22nd field is counted behind it.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return fields[19] ?? null;
  } catch {
    return null;
  }
}
