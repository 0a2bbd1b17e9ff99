import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join } from 'node:path';

/** A path below the root and the directory that holds it; the first that has a file is used. */
export interface StaticRoot {
  prefix: string;
  directory: string;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.oga': 'audio/ogg',
  '.mp3': 'audio/mpeg',
  '.ttf': 'font/ttf',
  '.woff': 'font/woff',
};

/** Path characters that never occur in our files: everything that could mean another host or directory is refused. */
const PLAIN_PATH = /^(?:\/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$/;
const PATH_CHARS_MAX = 512;

/**
 * Answers with a file, on the bare server that takes websockets, too: @fastify/static and its send would want fastify, decode the path and
 * redirect to a folder's slash, which is how the originals' proxies could be made to lead to other hosts. Never redirects: paths with `//`, `..`, encoded slashes or anything else unusual are 400, and
 * directories are 404.
 */
export async function serveFile(
  request: IncomingMessage,
  response: ServerResponse,
  roots: readonly StaticRoot[],
): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.setHeader('allow', 'GET, HEAD');
    return plain(response, 405, 'Method Not Allowed');
  }
  const [path = '/'] = (request.url ?? '/').split('?', 1);
  const wanted = path === '/' ? '/vnc_auto.html' : path;
  if (wanted.length > PATH_CHARS_MAX || !PLAIN_PATH.test(wanted)) return plain(response, 400, 'Bad Request');
  for (const { prefix, directory } of roots) {
    if (!wanted.startsWith(prefix)) continue;
    const file = join(directory, wanted.slice(prefix.length));
    const size = await sizeOf(file);
    if (size === undefined) continue;
    response.writeHead(200, {
      'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
      'content-length': size,
      // The page's address holds the token.
      'cache-control': extname(file) === '.html' ? 'no-store' : 'max-age=3600',
    });
    if (request.method === 'HEAD') return void response.end();
    createReadStream(file)
      .on('error', () => response.destroy())
      .pipe(response);
    return;
  }
  plain(response, 404, 'Not Found');
}

async function sizeOf(file: string): Promise<number | undefined> {
  try {
    const found = await stat(file);
    return found.isFile() ? found.size : undefined;
  } catch {
    return undefined;
  }
}

function plain(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
