import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { must } from '@folsom/core';
import { TEXTS } from './texts/index.ts';

export interface Asset {
  type: string;
  plain: Buffer;
  zipped: Buffer;
}

/** Everything the page is made of, in memory, under one version: an address never changes what it means. */
export interface Assets {
  /** Of the contents: part of every address. */
  version: string;
  /** By path below `/static/VERSION/`. */
  files: ReadonlyMap<string, Asset>;
  /** Scripts that the first page loads, in the order in which they are found. */
  first: readonly string[];
}

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript; charset=utf-8',
  '.mjs': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.json': 'application/json',
};

const require = createRequire(import.meta.url);
const zip = promisify(gzip);
const MAIN = 'main.js';

/** Packages that the page imports by name, and what stands for the name in a browser. */
const PACKAGES: Readonly<Record<string, { file: string; path: string }>> = {
  preact: { file: require.resolve('preact'), path: 'vendor/preact.mjs' },
  'preact/hooks': { file: require.resolve('preact/hooks'), path: 'vendor/hooks.mjs' },
  htm: { file: join(dirname(require.resolve('htm')), 'htm.module.js'), path: 'vendor/htm.mjs' },
};

let loaded: Promise<Assets> | undefined;

/** The page's files, the libraries' modules and the texts of each language, read once. No work is left for a request. */
export function loadAssets(): Promise<Assets> {
  loaded ??= readAssets();
  return loaded;
}

async function readAssets(): Promise<Assets> {
  const sources = new Map<string, Buffer>();
  const front = fileURLToPath(new URL('./front', import.meta.url));
  for (const path of await filesBelow(front)) sources.set(path, await readFile(join(front, path)));
  for (const { file, path } of Object.values(PACKAGES)) sources.set(path, await readFile(file));
  const novnc = dirname(dirname(require.resolve('@novnc/novnc')));
  for (const folder of ['core', 'vendor'])
    for (const path of await filesBelow(join(novnc, folder)))
      sources.set(`vendor/novnc/${folder}/${path}`, await readFile(join(novnc, folder, path)));
  for (const [language, column] of [['en', 0] as const, ['zh', 1] as const]) {
    const table = Object.fromEntries(Object.entries(TEXTS).map(([key, texts]) => [key, texts[column]]));
    sources.set(`texts/${language}.json`, Buffer.from(JSON.stringify(table)));
  }
  const files = new Map<string, Asset>();
  const hash = createHash('sha256');
  for (const [path, source] of sources) {
    const type = TYPES[extname(path)];
    if (type === undefined) continue;
    const plain = type.startsWith('text/javascript') ? withPaths(path, source) : source;
    hash.update(path).update(plain);
    files.set(path, { type, plain, zipped: await zip(plain) });
  }
  return { version: hash.digest('hex').slice(0, 12), files, first: reachable(files) };
}

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter(entry => entry.isFile() && TYPES[extname(entry.name)] !== undefined)
    .map(entry => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

const IMPORT = /(\bfrom\s*|\bimport\s*)(["'])([^"'\n]+)\2/g;

/** A browser knows no packages: their names become paths. */
function withPaths(path: string, source: Buffer): Buffer {
  const up = '../'.repeat(path.split('/').length - 1) || './';
  const text = source
    .toString('utf8')
    .replace(/\n?\/\/# sourceMappingURL=.*$/m, '')
    .replace(IMPORT, (whole, word: string, quote: string, name: string) =>
      PACKAGES[name] ? `${word}${quote}${up}${PACKAGES[name].path}${quote}` : whole,
    );
  return Buffer.from(text);
}

/** What {@link MAIN} imports, directly or not; what a page loads when it is opened is no part of it. */
function reachable(files: ReadonlyMap<string, Asset>): string[] {
  const seen = new Set<string>();
  const visit = (path: string) => {
    const asset = files.get(path);
    if (asset === undefined || seen.has(path)) return;
    seen.add(path);
    for (const [, , , name] of asset.plain.toString('utf8').matchAll(IMPORT))
      if (must(name, 'name is there').startsWith('.'))
        visit(join(dirname(path), must(name, 'name is there')).split(sep).join('/'));
  };
  visit(MAIN);
  return [...seen];
}
