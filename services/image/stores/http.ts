import type { IncomingMessage } from 'node:http';
import type { AddressGuard } from './addresses.ts';
import { discard, fetchFrom } from './fetching.ts';
import { type Store, storeFault } from './store.ts';

const REDIRECTS_MAX = 5;

/** Images that stay where they are on a web server; read only. Every hop of a redirect is checked like the first address. */
export function httpStore(guard: AddressGuard): Store {
  const query = async (location: string, method: 'GET' | 'HEAD'): Promise<IncomingMessage> => {
    let url = httpUrl(location);
    for (let hop = 0; hop <= REDIRECTS_MAX; hop++) {
      const headers: Record<string, string> = {};
      if (url.username !== '') {
        const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
        headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
      }
      const response = await fetchFrom(url, { method, headers, guard });
      const status = response.statusCode ?? 500;
      if (status === 404 || status === 410) {
        discard(response);
        throw storeFault('ImageDataNotFound');
      }
      const next = response.headers.location;
      if (status < 300 && next === undefined) return response;
      discard(response);
      if (status !== 301 && status !== 302) throw storeFault('BackendError');
      if (next === undefined) throw storeFault('BackendError');
      url = httpUrl(new URL(next, url).toString());
    }
    throw storeFault('BackendError', {}, { message: 'The image source redirects without end.' });
  };
  return {
    schemes: ['http', 'https'],
    get: async location => {
      const response = await query(location, 'GET');
      return { size: lengthOf(response), data: response };
    },
    size: async location => {
      try {
        const response = await query(location, 'HEAD');
        discard(response);
        return lengthOf(response) ?? 0;
      } catch (error) {
        if ((error as Error).name === 'SourceRefused') throw error;
        return 0;
      }
    },
    checkSource: async location => {
      await guard.check(httpUrl(location).hostname);
    },
  };
}

function httpUrl(location: string): URL {
  let url: URL;
  try {
    url = new URL(location);
  } catch {
    throw storeFault('BadStoreUri');
  }
  if ((url.protocol !== 'http:' && url.protocol !== 'https:') || url.hostname === '') {
    throw storeFault('BadStoreUri');
  }
  return url;
}

function lengthOf(response: IncomingMessage): number | null {
  const length = response.headers['content-length'];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : null;
}
