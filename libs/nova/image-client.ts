import { text as textOf } from 'node:stream/consumers';
import { type Clock, Fault, type Logger, must, type RequestContext } from '@folsom/core';
import { type DoorAnswer, operatorDoor } from '@folsom/outbound';
import { LRUCache } from 'lru-cache';
import { novaFault } from './faults.ts';
import { imageFromHeaders, imageFromJson, imageHeaders, imagePath, imageServers } from './image-wire.ts';
import type { ImageWire } from './rpc/wire.ts';

/**
 * Nova's view of the image service (its v1 API), acting with the caller's own token. No client library is kept for that version; what
 * carries bytes is `image-transfer.ts`.
 */
export interface ImageClient {
  /** @throws Fault `ImageNotFound`, `ImageNotAuthorized`, `GlanceConnectionFailed` */
  show(context: RequestContext, id: string): Promise<ImageWire>;
  /**
   * Images the caller can see, private ones of its tenant among them. The very same array as before where the image service has said
   * the same as before: nobody changes it.
   */
  list(context: RequestContext, query: ImageQuery): Promise<readonly ImageWire[]>;
  /** Registers an image; it is queued until somebody uploads its data. One that has none (`none`) is active at once. */
  create(context: RequestContext, image: Partial<ImageWire>, data?: 'later' | 'none'): Promise<ImageWire>;
  /** Replaces all properties, and whatever else is given. */
  update(context: RequestContext, id: string, image: Partial<ImageWire>): Promise<ImageWire>;
  delete(context: RequestContext, id: string): Promise<void>;
}

export interface ImageQuery {
  /** As glance's v1 takes them: `name`, `status`, `property-x`, `changes-since`, `min_ram` ... */
  filters?: Readonly<Record<string, string>>;
  limit?: number;
  marker?: string;
}

export interface ImageClientOptions {
  /** `host:port` or URLs; tried in turn when one does not answer. */
  servers: readonly string[];
  clock: Clock;
  log: Logger;
  /** Milliseconds for one request. */
  timeoutMs?: number;
  /** Milliseconds for which the facts of an active image are not asked again. */
  cacheMs?: number;
}

const TIMEOUT_MS = 15_000;
const CACHE_MS = 2_000;
const CACHE_MAX = 1_000;
/** Images asked for at a time: what glance gives at most (api_limit_max). */
const PAGE = 1_000;
/** A page shorter than this, or than the one before it, was cut by nobody's limit. */
const SHORT_PAGE = 100;
/** Characters of all listings whose images are kept. */
const LISTED_CHARS_MAX = 16 * 1024 * 1024;
/** Images in one answer; a tenant with more gets them by page. */
const IMAGES_MAX = 10_000;
/** Bytes of a listing. */
const LISTING_BYTES_MAX = 32 * 1024 * 1024;
const KEEP_ALIVE_MS = 4_000;

interface Answer {
  status: number;
  headers: DoorAnswer['headers'];
  text: string;
}

export function imageClient(options: ImageClientOptions): ImageClient {
  const { clock, log, timeoutMs = TIMEOUT_MS, cacheMs = CACHE_MS } = options;
  const servers = imageServers(options.servers);
  const door = operatorDoor({
    limits: { answerMs: timeoutMs, totalMs: timeoutMs, bytesMax: LISTING_BYTES_MAX },
    keepAliveMs: KEEP_ALIVE_MS,
  });
  const cache = new LRUCache<string, { image: ImageWire; until: number }>({ max: CACHE_MAX });
  const listings = new LRUCache<string, Listing>({
    maxSize: LISTED_CHARS_MAX,
    sizeCalculation: ({ text }, path) => text.length + path.length,
  });
  /** Looks under way: many boots of the same image at once ask once. */
  const asking = new Map<string, Promise<ImageWire>>();
  let turn = 0;

  const request = async (
    context: RequestContext,
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<Answer> => {
    const sent = {
      ...(context.authToken === null ? {} : { 'x-auth-token': context.authToken }),
      // The image service logs the request under the id of the work it belongs to.
      'x-openstack-request-id': context.requestId,
      ...(context.traceparent === null ? {} : { traceparent: context.traceparent }),
      ...headers,
    };
    let failure: unknown;
    for (let attempt = 0; attempt < servers.length; attempt++) {
      const server = must(servers[(turn + attempt) % servers.length], 'servers has it');
      const ask = async () => {
        const answer = await door.request(`${server}${path}`, { method, headers: sent });
        return { ...answer, text: await textOf(answer.body) };
      };
      try {
        const answer = await ask().catch(error => {
          // A connection kept since the last request that the other end has closed meanwhile says nothing of the service.
          if (method === 'POST' || !isReset(error)) throw error;
          return ask();
        });
        turn = (turn + attempt) % servers.length;
        return answer;
      } catch (error) {
        failure = error;
        log.warn('image service does not answer', {
          server,
          method,
          error: String((error as Error).cause ?? error),
        });
      }
    }
    throw novaFault('GlanceConnectionFailed', {}, { cause: failure });
  };

  const keyOf = (context: RequestContext, id: string) => `${context.projectId} ${context.userId} ${id}`;

  const look = async (context: RequestContext, id: string, key: string): Promise<ImageWire> => {
    const response = await request(context, 'HEAD', imagePath(id));
    check(response, id);
    const image = imageFromHeaders(response.headers);
    if (image.status === 'active' && cacheMs > 0) {
      cache.set(key, { image: structuredClone(image), until: clock.monotonic() + cacheMs });
    }
    return image;
  };

  return {
    async show(context, id) {
      const key = keyOf(context, id);
      const kept = cache.get(key);
      if (kept && kept.until > clock.monotonic()) return structuredClone(kept.image);
      // Of another's answer only what is good counts: his token may be no longer valid, his time be over.
      const others = cacheMs > 0 ? asking.get(key) : undefined;
      const shared = others && (await others.catch(() => undefined));
      if (shared) return structuredClone(shared);
      const own = look(context, id, key);
      asking.set(key, own);
      return own.finally(() => {
        if (asking.get(key) === own) asking.delete(key);
      });
    },

    async list(context, { filters = {}, limit, marker }) {
      const images: ImageWire[] = [];
      let after = marker;
      let longest = 0;
      const wanted = Math.min(limit ?? IMAGES_MAX, IMAGES_MAX);
      while (images.length < wanted) {
        const size = Math.min(PAGE, wanted - images.length);
        const query = new URLSearchParams({ is_public: 'none', ...filters, limit: String(size) });
        if (after !== undefined) query.set('marker', after);
        const response = await request(context, 'GET', `/v1/images/detail?${query}`);
        checkPlain(response);
        const key = `${context.projectId} ${context.userId} ${query}`;
        const page = readListing(listings, key, response.text);
        if (page.length < Math.max(longest, Math.min(size, SHORT_PAGE)))
          return images.length === 0 ? page : [...images, ...page];
        if (page.length === wanted) return page;
        longest = page.length;
        images.push(...page);
        after = must(page.at(-1), 'page is not empty').id;
      }
      return images;
    },

    async create(context, image, data = 'later') {
      const response = await request(context, 'POST', '/v1/images', {
        ...imageHeaders(image),
        ...(data === 'none' ? { 'content-type': 'application/octet-stream' } : {}),
      });
      checkPlain(response);
      return imageFromJson((JSON.parse(response.text) as { image: Record<string, unknown> }).image);
    },

    async update(context, id, image) {
      asking.delete(keyOf(context, id));
      cache.delete(keyOf(context, id));
      const response = await request(context, 'PUT', imagePath(id), {
        ...imageHeaders(image),
        'x-glance-registry-purge-props': 'true',
      });
      check(response, id);
      return imageFromJson((JSON.parse(response.text) as { image: Record<string, unknown> }).image);
    },

    async delete(context, id) {
      asking.delete(keyOf(context, id));
      cache.delete(keyOf(context, id));
      const response = await request(context, 'DELETE', imagePath(id));
      if (response.status === 404) throw novaFault('ImageNotFound', { image_id: id });
      check(response, id);
    },
  };
}

/** An answer and what it was read as. */
interface Listing {
  text: string;
  images: readonly ImageWire[];
}

/** The images of an answer: those of the last one to the same question, where it says the same. */
function readListing(kept: LRUCache<string, Listing>, key: string, text: string): readonly ImageWire[] {
  const before = kept.get(key);
  if (before?.text === text) return before.images;
  const images = (JSON.parse(text) as { images: Record<string, unknown>[] }).images.map(imageFromJson);
  kept.set(key, { text, images });
  return images;
}

const RESETS: readonly unknown[] = ['ECONNRESET', 'EPIPE', 'UND_ERR_SOCKET'];

/** Whether a connection ended before there was an answer. */
const isReset = (error: unknown): boolean =>
  RESETS.includes(((error as Error).cause as NodeJS.ErrnoException | undefined)?.code);

const succeeded = ({ status }: Answer): boolean => status >= 200 && status < 300;

function check(response: Answer, id: string): void {
  if (succeeded(response)) return;
  if (response.status === 401 || response.status === 403)
    throw novaFault('ImageNotAuthorized', { image_id: id });
  if (response.status === 404) throw novaFault('ImageNotFound', { image_id: id });
  checkPlain(response);
}

function checkPlain(response: Answer): void {
  if (succeeded(response)) return;
  if (response.status === 401 || response.status === 403) throw novaFault('NotAuthorized');
  if (response.status === 404) throw novaFault('NotFound');
  if (response.status >= 400 && response.status < 500) {
    // A limit of glance stays one for who asked us.
    throw new Fault(
      'Invalid',
      response.status === 413 ? 413 : 400,
      response.text.slice(0, 1000) || 'Unacceptable parameters.',
      { module: 'nova.exception' },
    );
  }
  throw novaFault(
    'GlanceConnectionFailed',
    {},
    { cause: new Error(`image service answered ${response.status}`) },
  );
}
