import { cloud, upload } from '../../lib/api.js';
import { store } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { tell } from '../../ui/toasts.js';
import { objectPath } from './names.js';

/** Files sent at a time. */
const AT_ONCE = 3;
/** Larger files go in pieces that the server joins: an object has at most 5 GB. */
const SEGMENT = 1024 ** 3;

/** What is being uploaded: `{ id, name, size, part, error, stop }`; stays while one goes from page to page. */
export const uploads = store(/** @type {any[]} */ ([]));

let next = 0;
const waiting = [];
let running = 0;

const change = (id, values) =>
  uploads.set(uploads.get().map(entry => (entry.id === id ? { ...entry, ...values } : entry)));

/**
 * Sends files, a few at a time.
 * @param {string} container
 * @param {readonly { name: string, file: File }[]} files names are those of the objects
 * @param {() => void} done called when one is there
 */
export function enqueue(container, files, done) {
  const entries = files.map(({ name, file }) => ({
    id: ++next,
    name,
    file,
    size: file.size,
    part: 0,
    stop: new AbortController(),
  }));
  uploads.set([...uploads.get(), ...entries]);
  waiting.push(...entries.map(entry => () => send(container, entry, done)));
  while (running < AT_ONCE && waiting.length > 0) work();
}

async function work() {
  running += 1;
  for (let job = waiting.shift(); job; job = waiting.shift()) await job();
  running -= 1;
}

async function send(container, entry, done) {
  if (entry.stop.signal.aborted) return;
  try {
    if (entry.size > SEGMENT) await inPieces(container, entry);
    else
      await upload('PUT', cloud.url('object-store', objectPath(container, entry.name)), entry.file, {
        headers: typeOf(entry.file),
        signal: entry.stop.signal,
        onProgress: part => change(entry.id, { part }),
      });
    drop(entry.id);
    if (uploads.get().length === 0) tell(t('upload.done'));
    done();
  } catch (error) {
    if (entry.stop.signal.aborted) drop(entry.id);
    else change(entry.id, { error: /** @type {Error} */ (error).message });
  }
}

const typeOf = file => ({ 'content-type': file.type || 'application/octet-stream' });

async function inPieces(container, entry) {
  const pieces = `${container}_segments`;
  const prefix = `${entry.name}/${Date.now()}/${entry.size}/`;
  await cloud.put('object-store', encodeURIComponent(pieces));
  for (let at = 0, n = 0; at < entry.size; at += SEGMENT, n++) {
    const name = prefix + String(n).padStart(8, '0');
    await upload(
      'PUT',
      cloud.url('object-store', objectPath(pieces, name)),
      entry.file.slice(at, at + SEGMENT),
      {
        signal: entry.stop.signal,
        onProgress: (_, sent) => change(entry.id, { part: Math.min(1, (at + sent) / entry.size) }),
      },
    );
  }
  await upload('PUT', cloud.url('object-store', objectPath(container, entry.name)), null, {
    headers: {
      ...typeOf(entry.file),
      'x-object-manifest': `${encodeURIComponent(pieces)}/${encodeURIComponent(prefix)}`,
    },
    signal: entry.stop.signal,
  });
}

const drop = id => uploads.set(uploads.get().filter(entry => entry.id !== id));

export function cancel(entry) {
  entry.stop.abort();
  drop(entry.id);
}

/** The files of a drop, those in folders with their paths. @param {DataTransfer} data */
export async function filesOf(data) {
  const entries = [...data.items]
    .map(item => item.webkitGetAsEntry?.())
    .filter(entry => entry !== null && entry !== undefined);
  if (entries.length === 0) return [...data.files].map(file => ({ name: file.name, file }));
  const found = [];
  const visit = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      found.push({ name: path + entry.name, file });
      return;
    }
    const reader = entry.createReader();
    // A reader gives a hundred at a time.
    for (;;) {
      const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (some.length === 0) break;
      for (const inner of some) await visit(inner, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await visit(entry, '');
  return found;
}
