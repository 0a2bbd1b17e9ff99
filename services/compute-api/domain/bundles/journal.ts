import { mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RequestContext } from '@folsom/core';

/** An accepted registration, as it outlives the process. Its context has the caller's token: the files are this user's alone. */
export interface JournalEntry {
  context: RequestContext;
  imageId: string;
  /** `bucket/path of the manifest`. */
  location: string;
}

/** Registrations that are not finished: one file each, in a folder of the state path. */
export interface Journal {
  /** Kept when this resolves, also over a loss of power. */
  add(entry: JournalEntry): Promise<void>;
  remove(imageId: string): Promise<void>;
  /** What a former life of this process left. */
  left(): Promise<JournalEntry[]>;
}

const SUFFIX = '.json';

export function registrationJournal(folder: string): Journal {
  const fileOf = (imageId: string) => join(folder, `${encodeURIComponent(imageId)}${SUFFIX}`);
  return {
    add: async entry => {
      await mkdir(folder, { recursive: true, mode: 0o700 });
      const path = fileOf(entry.imageId);
      const part = await open(`${path}.part`, 'w', 0o600);
      try {
        await part.writeFile(JSON.stringify(entry));
        await part.sync();
      } finally {
        await part.close();
      }
      await rename(`${path}.part`, path);
      const directory = await open(folder, 'r');
      try {
        await directory.sync();
      } finally {
        await directory.close();
      }
    },
    remove: imageId => rm(fileOf(imageId), { force: true }),
    left: async () => {
      const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') return [];
        throw error;
      });
      const entries: JournalEntry[] = [];
      for (const name of names) {
        if (name.endsWith(SUFFIX))
          entries.push(JSON.parse(await readFile(join(folder, name), 'utf8')) as JournalEntry);
        // It was not accepted yet.
        else await rm(join(folder, name), { force: true });
      }
      return entries;
    },
  };
}
