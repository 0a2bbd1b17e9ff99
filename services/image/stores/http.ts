import type { Door, DoorAnswer } from '@folsom/outbound';
import { checkTarget, discard, fetchFrom, lengthOf } from './fetching.ts';
import { type Store, storeFault } from './store.ts';

const REDIRECTS_MAX = 5;

/** Images that stay where they are on a web server; read only. Every hop of a redirect is checked like the first address. */
export function httpStore(door: Door): Store {
  const query = async (location: string, method: 'GET' | 'HEAD'): Promise<DoorAnswer> => {
    const response = await fetchFrom(httpUrl(location), { method, door, redirects: REDIRECTS_MAX });
    if (response.status < 300) return response;
    discard(response);
    throw storeFault(
      response.status === 404 || response.status === 410 ? 'ImageDataNotFound' : 'BackendError',
    );
  };
  return {
    schemes: ['http', 'https'],
    get: async location => {
      const response = await query(location, 'GET');
      return { size: lengthOf(response), data: response.body };
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
    checkSource: location => checkTarget(door, httpUrl(location).href),
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
