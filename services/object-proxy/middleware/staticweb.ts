import {
  answer,
  dropBody,
  quotePath,
  responseBytes,
  type ServerResponse,
  splitPath,
} from '@folsom/swift-http';
import { isTrue, type ProxyApp, type ProxyRequest, preAuthorized } from '../request.ts';
import type { Middleware } from './middleware.ts';
import { listingPage, type WebListingItem } from './staticweb-page.ts';

/** How a container is shown as a web site: the X-Container-Meta-Web-* headers. */
interface WebSettings {
  index: string;
  error: string;
  listings: string;
  css: string;
}

const NO_SETTINGS: WebSettings = { index: '', error: '', listings: '', css: '' };
const AGENT = 'StaticWeb';

const cacheKey = (version: string, account: string, container: string): string =>
  `/staticweb/${version}/${account}/${container}`;

const isSuccess = (status: number): boolean => status >= 200 && status < 300;
const isGood = (status: number): boolean => status >= 200 && status < 400;

/** Serves containers as web sites: index pages, error pages, listings. For anonymous readers, or X-Web-Mode. */
export const staticWeb: Middleware = (app, conf) => {
  const cacheSeconds = conf.int('cache_timeout', 300);
  return async request => {
    const parts = splitPath(request.path, 2, 4, true);
    if (!parts) return app(request);
    const [version, account, container, object] = parts as [string, string, string | null, string | null];
    const { method } = request;
    if ((method === 'PUT' || method === 'POST') && container && !object) {
      await request.cache?.delete(cacheKey(version, account, container));
      return app(request);
    }
    if (method !== 'GET' && method !== 'HEAD') return app(request);
    if (request.remoteUser && !isTrue(request.headers.get('x-web-mode'))) return app(request);
    if (!container) return app(request);
    const site = { app, version, account, container, cacheSeconds };
    return object ? serveObject(site, request, object) : serveContainer(site, request);
  };
};

interface Site {
  app: ProxyApp;
  version: string;
  account: string;
  container: string;
  cacheSeconds: number;
}

/** The same request for another path, by the same client. */
function forPath(request: ProxyRequest, path: string): ProxyRequest {
  const headers = new Map(request.headers);
  headers.set('user-agent', `${headers.get('user-agent') ?? 'None'} ${AGENT}`);
  return { ...request, path, headers };
}

const containerPath = ({ version, account, container }: Site): string =>
  `/${version}/${account}/${container}`;

async function settingsOf(site: Site, request: ProxyRequest): Promise<WebSettings> {
  const key = cacheKey(site.version, site.account, site.container);
  const cached = await request.cache?.get(key);
  if (Array.isArray(cached)) {
    const [index, error, listings, css] = cached as string[];
    return { index: index ?? '', error: error ?? '', listings: listings ?? '', css: css ?? '' };
  }
  const response = await site.app(
    preAuthorized(request, AGENT, { method: 'HEAD', path: containerPath(site), source: 'SW' }),
  );
  dropBody(response);
  if (!isSuccess(response.status)) return NO_SETTINGS;
  const header = (name: string): string =>
    (response.headers.get(`x-container-meta-web-${name}`) ?? '').trim();
  const found = {
    index: header('index'),
    error: header('error'),
    listings: header('listings'),
    css: header('listings-css'),
  };
  await request.cache?.set(key, [found.index, found.error, found.listings, found.css], site.cacheSeconds);
  return found;
}

/** An error, with the site's own page for it if it has one. */
async function errorResponse(
  site: Site,
  request: ProxyRequest,
  settings: WebSettings,
  response: ServerResponse,
): Promise<ServerResponse> {
  if (!settings.error) return response;
  const page = await site.app(
    preAuthorized(request, AGENT, {
      method: 'GET',
      path: `${containerPath(site)}/${response.status}${settings.error}`,
      source: 'SW',
    }),
  );
  if (!isSuccess(page.status)) {
    dropBody(page);
    return response;
  }
  dropBody(response);
  return { ...page, status: response.status, ...(response.reason ? { reason: response.reason } : {}) };
}

const moved = (request: ProxyRequest): ServerResponse => {
  const host = request.headers.get('host');
  const location = `${host ? `http://${host}` : ''}${quotePath(request.path)}/`;
  return answer(301, request, { headers: [['location', location]], detail: location });
};

const notFound = (request: ProxyRequest): ServerResponse => answer(404, request);

async function listing(
  site: Site,
  request: ProxyRequest,
  settings: WebSettings,
  prefix: string,
): Promise<ServerResponse> {
  if (!isTrue(settings.listings)) return errorResponse(site, request, settings, notFound(request));
  const query = `delimiter=/&format=json${prefix ? `&prefix=${quotePath(prefix)}` : ''}`;
  const response = await site.app(
    preAuthorized(request, AGENT, { method: 'GET', path: containerPath(site), query, source: 'SW' }),
  );
  if (!isSuccess(response.status)) return errorResponse(site, request, settings, response);
  const text = await responseBytes(response);
  const items = text.length ? (JSON.parse(text.toString('utf8')) as WebListingItem[]) : [];
  if (!items.length) return errorResponse(site, request, settings, notFound(request));
  const body = Buffer.from(listingPage({ title: request.path, prefix, css: settings.css, items }));
  return {
    status: 200,
    headers: new Map([
      ['content-type', 'text/html; charset=UTF-8'],
      ['content-length', String(body.length)],
    ]),
    body,
  };
}

async function serveContainer(site: Site, request: ProxyRequest): Promise<ServerResponse> {
  const settings = await settingsOf(site, request);
  if (!settings.listings && !settings.index) {
    return isTrue(request.headers.get('x-web-mode')) ? notFound(request) : site.app(request);
  }
  if (!request.path.endsWith('/')) return moved(request);
  if (!settings.index) return listing(site, request, settings, '');
  const response = await site.app(forPath(request, request.path + settings.index));
  if (response.status === 404) {
    dropBody(response);
    return listing(site, request, settings, '');
  }
  return isGood(response.status) ? response : errorResponse(site, request, settings, response);
}

async function serveObject(site: Site, request: ProxyRequest, object: string): Promise<ServerResponse> {
  const direct = await site.app(forPath(request, request.path));
  if (isGood(direct.status)) return direct;
  if (direct.status !== 404) return errorResponse(site, request, NO_SETTINGS, direct);
  const settings = await settingsOf(site, request);
  if (!settings.listings && !settings.index) return direct;
  dropBody(direct);
  const slash = request.path.endsWith('/');
  if (settings.index) {
    const response = await site.app(forPath(request, `${request.path}${slash ? '' : '/'}${settings.index}`));
    if (isGood(response.status)) {
      if (slash) return response;
      dropBody(response);
      return moved(request);
    }
    if (response.status !== 404) return response;
    dropBody(response);
  }
  if (slash) return listing(site, request, settings, object);
  // A "directory" without its slash: does anything lie below it?
  const below = await site.app(
    preAuthorized(request, AGENT, {
      method: 'GET',
      path: containerPath(site),
      query: `limit=1&format=json&delimiter=/&prefix=${quotePath(`${object}/`)}`,
      source: 'SW',
    }),
  );
  const text = await responseBytes(below);
  const found =
    isSuccess(below.status) && text.length > 0 && (JSON.parse(text.toString('utf8')) as unknown[]).length > 0;
  return found ? moved(request) : errorResponse(site, request, settings, notFound(request));
}
