import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { TEXTS } from './texts/index.ts';

const front = fileURLToPath(new URL('./front', import.meta.url));
const source = readdirSync(front, { recursive: true, encoding: 'utf8' })
  .filter(name => name.endsWith('.js'))
  .map(name => readFileSync(join(front, name), 'utf8'))
  .join('\n');
/** Keys of which the end is found out while the page runs. */
const OPEN = [...source.matchAll(/(?:\bt|known)\(\s*`([\w.]+\.)\$\{/g)].map(match => match[1]!);

it('has every text that the page asks for', () => {
  const asked = [...source.matchAll(/\bt\(\s*'([\w.]+)'/g)].map(match => match[1]!);
  expect(asked.length).toBeGreaterThan(200);
  expect(asked.filter(key => !(key in TEXTS))).toEqual([]);
});

it('has no text that nobody asks for', () => {
  const words = new Set([...source.matchAll(/'([a-zA-Z]+\.[\w.-]+)'/g)].map(match => match[1]!));
  const idle = Object.keys(TEXTS).filter(
    key => !words.has(key) && !OPEN.some(start => key.startsWith(start)),
  );
  expect(idle).toEqual([]);
});

it('says the same in both languages: no text is missing, each has the same places to fill in', () => {
  const places = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort().join();
  for (const [key, [en, zh]] of Object.entries(TEXTS)) {
    expect(en, key).not.toBe('');
    expect(zh, key).not.toBe('');
    expect(places(zh), key).toBe(places(en));
  }
});

it('is the only place with texts: no page has words of its own', () => {
  const outside = [...source.matchAll(/>\s*([A-Z][a-z]+ [a-z]+[^<>${}`]*)</g)].map(match => match[1]!);
  expect(outside).toEqual([]);
});
