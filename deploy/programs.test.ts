import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
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

/** Nodes of the machine that are too old for the project. */
const old = ['/usr/bin/node', '/usr/local/bin/node'].find(
  node => Number(/^v(\d+)/.exec(spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout ?? '')?.[1]) < 24,
);

it.skipIf(!needs('a Node older than 24', old !== undefined))('an old Node says that it is one', () => {
  const wrapper = fileURLToPath(new URL('./bin/folsom.mjs', import.meta.url));
  const { status, stderr } = spawnSync(old!, [wrapper, 'status'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([
    1,
    expect.stringMatching(/^folsom: needs Node 24, this is \d+\.\d+\.\d+; .*\n$/),
  ]);
});
