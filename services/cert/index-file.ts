import { readFile, rename, writeFile } from 'node:fs/promises';
import { must } from '@folsom/core';
import type { Name } from './names.ts';

/** A line of openssl's index.txt: state, expiry, revocation, serial, file, subject, between tabs. */
export interface IndexEntry {
  serial: string;
  /** Milliseconds since the epoch; absent while the certificate is good. */
  revokedAt: number | undefined;
  fields: string[];
}

export async function readIndex(path: string): Promise<IndexEntry[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split('\n')
    .map(line => line.split('\t'))
    .filter(fields => fields.length >= 6)
    .map(fields => ({
      serial: must(fields[3], 'fields has more than 3'),
      revokedAt:
        fields[0] === 'R'
          ? parseTime(
              must(must(fields[2], 'fields has more than 2').split(',')[0], 'a split has a first part'),
            )
          : undefined,
      fields,
    }));
}

export async function appendIssued(
  path: string,
  issued: { serial: string; expires: number; subject: Name },
): Promise<void> {
  const entries = await readIndex(path);
  const subject = issued.subject.map(([key, value]) => `/${key}=${value.replace(/[\t\n]/g, ' ')}`).join('');
  const fields = ['V', formatTime(issued.expires), '', issued.serial, 'unknown', subject];
  await write(path, [...entries, { serial: issued.serial, revokedAt: undefined, fields }]);
}

/** Marks a certificate; one that is marked already keeps its time. */
export async function markRevoked(path: string, serial: string, now: number): Promise<void> {
  const entries = await readIndex(path);
  for (const entry of entries) {
    if (entry.serial !== serial || entry.revokedAt !== undefined) continue;
    entry.fields[0] = 'R';
    entry.fields[2] = formatTime(now);
  }
  await write(path, entries);
}

async function write(path: string, entries: readonly IndexEntry[]): Promise<void> {
  await writeFile(`${path}.new`, entries.map(({ fields }) => `${fields.join('\t')}\n`).join(''), {
    mode: 0o600,
    flush: true,
  });
  await rename(`${path}.new`, path);
}

/** `YYMMDDHHMMSSZ` */
const formatTime = (ms: number): string =>
  `${new Date(ms).toISOString().slice(2, 19).replace(/[-T:]/g, '')}Z`;

function parseTime(text: string): number {
  const [year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0] = (text.match(/\d\d/g) ?? []).map(
    Number,
  );
  return Date.UTC(2000 + year, month - 1, day, hour, minute, second);
}
