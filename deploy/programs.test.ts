import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

/** Programs, from the files that give their `main`. */
const programs = readdirSync(new URL('./programs/', import.meta.url)).map(file => file.replace(/\.ts$/, ''));

it('every program has its wrapper, word for word as bin/generate.mjs writes it, and its name in the package', async () => {
  const { manifestWith, wrapperOf } = (await import('./bin/generate.mjs' as string)) as {
    wrapperOf(program: string): string;
    manifestWith(text: string, programs: readonly string[]): string;
  };
  const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
  for (const program of programs) expect(read(`./bin/${program}.mjs`)).toBe(wrapperOf(program));
  const wrappers = readdirSync(new URL('./bin/', import.meta.url)).filter(file => file !== 'generate.mjs');
  expect(wrappers.sort()).toEqual(programs.map(program => `${program}.mjs`).sort());
  expect(JSON.parse(read('./package.json'))).toEqual(
    JSON.parse(manifestWith(read('./package.json'), programs)),
  );
});
