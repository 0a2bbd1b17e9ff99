import { dropBody } from '@folsom/swift-http';
import { type ProxyApp, type ProxyRequest, preAuthorized } from '../request.ts';

const KEPT_SECONDS = 60;

/** X-Account-Meta-Temp-URL-Key of an account, by which its owner signs URLs and forms; null if none is set. */
export async function tempUrlKey(
  app: ProxyApp,
  request: ProxyRequest,
  account: string,
  agent: string,
): Promise<string | null> {
  const cacheKey = `temp-url-key/${account}`;
  const cached = await request.cache?.get(cacheKey);
  if (typeof cached === 'string' && cached !== '') return cached;
  const response = await app(preAuthorized(request, agent, { method: 'HEAD', path: `/v1/${account}` }));
  dropBody(response);
  const key = response.headers.get('x-account-meta-temp-url-key');
  if (!key) return null;
  await request.cache?.set(cacheKey, key, KEPT_SECONDS);
  return key;
}
