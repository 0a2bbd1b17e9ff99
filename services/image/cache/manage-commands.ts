import { httpFault } from '../faults.ts';
import type { CachedImage } from './index-database.ts';

/** One call of the cache management API: status and body. */
export type ManageCall = (method: string, path: string) => Promise<{ status: number; body: string }>;

export interface ManageInput {
  command: string;
  args: readonly string[];
  host: string;
  force: boolean;
  verbose: boolean;
}

export interface ManageOutput {
  print(line: string): void;
  /** Asks a yes/no question; resolves to the answer, or null when nobody is there to answer. */
  confirm(question: string): Promise<boolean | null>;
}

export const MANAGE_COMMANDS = [
  'list-cached',
  'list-queued',
  'queue-image',
  'delete-cached-image',
  'delete-all-cached-images',
  'delete-queued-image',
  'delete-all-queued-images',
] as const;

const column = (text: unknown, width: number, right = false): string => {
  const cut = String(text).slice(0, width);
  return right ? cut.padStart(width) : cut.padEnd(width);
};

const COLUMNS = [
  ['ID', 36],
  ['Last Accessed (UTC)', 19],
  ['Last Modified (UTC)', 19],
  ['Size', 14],
  ['Hits', 10],
] as const;

const stamp = (seconds: number): string =>
  `${new Date(seconds * 1000).toISOString().replace('Z', '')}000`.replace(/\.000000$/, '');

/** Runs a command of glance-cache-manage. Resolves to the exit code. */
export async function runCacheManage(
  input: ManageInput,
  call: ManageCall,
  out: ManageOutput,
): Promise<number> {
  const api = async (method: string, path: string): Promise<Record<string, unknown> | null> => {
    const { status, body } = await call(method, path);
    if (status >= 300) throw httpFault(status, { body });
    return JSON.parse(body) as Record<string, unknown> | null;
  };
  const confirmed = async (question: string): Promise<boolean> =>
    input.force || (await out.confirm(question)) === true;
  const imageId = (verb: string): string | null => {
    const id = input.args.at(-1);
    if (id !== undefined) return encodeURIComponent(id);
    out.print(`Please specify the ID of the image you wish to ${verb} `);
    out.print('from the cache as the first argument');
    return null;
  };
  const say = (line: string) => {
    if (input.verbose) out.print(line);
  };
  const forOne = async (verb: string, question: string, method: string, path: string, done: string) => {
    const id = imageId(verb);
    if (id === null) return 1;
    if (!(await confirmed(`${question} ${input.args.at(-1)}${verb === 'queue' ? ' for caching?' : '?'}`)))
      return 0;
    await api(method, `/v1/${path}/${id}`);
    say(done.replace('%s', String(input.args.at(-1))));
    return 0;
  };
  const forAll = async (what: 'cached' | 'queued') => {
    if (!(await confirmed(`Delete all ${what} images?`))) return 0;
    const answer = await api('DELETE', `/v1/${what}_images`);
    say(`Deleted ${answer?.num_deleted} ${what} images`);
    return 0;
  };
  const work = async (): Promise<number> => {
    switch (input.command) {
      case 'list-cached': {
        const images = (await api('GET', '/v1/cached_images'))?.cached_images as CachedImage[];
        if (images.length === 0) out.print('No cached images.');
        else printCached(images, out);
        return 0;
      }
      case 'list-queued': {
        const images = (await api('GET', '/v1/queued_images'))?.queued_images as string[];
        if (images.length === 0) {
          out.print('No queued images.');
          return 0;
        }
        out.print(`Found ${images.length} queued images...`);
        out.print(column('ID', 36));
        out.print('-'.repeat(36));
        for (const image of images) out.print(column(image, 36));
        return 0;
      }
      case 'queue-image':
        return forOne('queue', 'Queue image', 'PUT', 'queued_images', 'Queued image %s for caching');
      case 'delete-cached-image':
        return forOne('delete', 'Delete cached image', 'DELETE', 'cached_images', 'Deleted cached image %s');
      case 'delete-queued-image':
        return forOne('delete', 'Delete queued image', 'DELETE', 'queued_images', 'Deleted queued image %s');
      case 'delete-all-cached-images':
        return forAll('cached');
      default:
        return forAll('queued');
    }
  };
  try {
    return await work();
  } catch (error) {
    const { status } = error as { status?: number };
    if (status === 404) out.print(`Cache management middleware not enabled on host ${input.host}`);
    else if (status === 403) out.print('Not authorized to make this request.');
    else {
      out.print(`Failed to ${ACTIONS[input.command] ?? input.command}. Got error:`);
      const body = (error as { values?: { body?: string } }).values?.body ?? (error as Error).message;
      for (const line of body.split('\n')) out.print(line);
    }
    return 1;
  }
}

const ACTIONS: Record<string, string> = {
  'list-cached': 'show cached images',
  'list-queued': 'show queued images',
  'queue-image': 'queue the specified image for caching',
  'delete-cached-image': 'delete the specified cached image',
  'delete-all-cached-images': 'Delete all cached images',
  'delete-queued-image': 'delete the specified queued image',
  'delete-all-queued-images': 'Delete all queued images',
};

function printCached(images: readonly CachedImage[], out: ManageOutput): void {
  out.print(`Found ${images.length} cached images...`);
  out.print(COLUMNS.map(([label, width]) => column(label, width)).join(' '));
  out.print(COLUMNS.map(([, width]) => '-'.repeat(width)).join(' '));
  for (const image of images) {
    out.print(
      [
        column(image.image_id, 36),
        column(image.last_accessed === 0 ? 'N/A' : stamp(image.last_accessed), 19),
        column(stamp(image.last_modified), 19),
        column(image.size, 14, true),
        column(image.hits, 10, true),
      ].join(' '),
    );
  }
}
