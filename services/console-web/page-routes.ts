import type { App } from '@folsom/http';
import type { FastifyReply } from 'fastify';
import { type Assets, loadAssets } from './assets.ts';
import { fault } from './faults.ts';

/** The page's own addresses; each serves the same document, which finds its way by itself. */
const AREAS = [
  'login',
  'instances',
  'keys',
  'images',
  'volumes',
  'network',
  'objects',
  'identity',
  'account',
  'system',
];

/** Nothing runs but our own scripts, nothing is framed, nothing is loaded from elsewhere, no text becomes markup. */
const PAGE_HEADERS = {
  'content-security-policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "connect-src 'self'",
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
  ].join('; '),
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), microphone=(), geolocation=()',
};

/** The document and what it is made of. */
export async function pageRoutes(app: App): Promise<void> {
  const { server } = app;
  const assets = await loadAssets();
  const document = Buffer.from(documentOf(assets));
  const page = async (_request: unknown, reply: FastifyReply) =>
    reply
      .headers({ ...PAGE_HEADERS, 'cache-control': 'no-cache' })
      .type('text/html; charset=utf-8')
      .send(document);
  const config = { name: 'page', public: true };
  server.get('/', { config }, page);
  for (const area of AREAS) {
    server.get(`/${area}`, { config }, page);
    server.get(`/${area}/*`, { config }, page);
  }
  server.get('/static/:version/*', { config: { name: 'asset', public: true } }, async (request, reply) => {
    const { version, '*': path } = request.params as { version: string; '*': string };
    const asset = version === assets.version ? assets.files.get(path) : undefined;
    if (asset === undefined) throw fault('NoSuchService', {}, { message: 'There is no such file.' });
    const zipped = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? ''));
    if (zipped) reply.header('content-encoding', 'gzip');
    return reply
      .headers({
        'cache-control': 'public, max-age=31536000, immutable',
        'cross-origin-resource-policy': 'same-origin',
        vary: 'accept-encoding',
      })
      .type(asset.type)
      .send(zipped ? asset.zipped : asset.plain);
  });
}

/** In this order. */
const STYLES = ['base', 'layout', 'controls', 'parts', 'phone'];

const documentOf = ({ version, first }: Assets): string => `<!doctype html>
<html lang="en" data-base="/static/${version}/">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Folsom</title>
<link rel="icon" href="/static/${version}/icon.svg" type="image/svg+xml">
${STYLES.map(name => `<link rel="stylesheet" href="/static/${version}/style/${name}.css">`).join('\n')}
${first.map(path => `<link rel="modulepreload" href="/static/${version}/${path}">`).join('\n')}
<script type="module" src="/static/${version}/main.js"></script>
</head>
<body>
<div id="app"></div>
<noscript>This console needs JavaScript. 本控制台需要 JavaScript。</noscript>
</body>
</html>
`;
