import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RELEASE } from '@folsom/config';
import { expect, it } from 'vitest';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const text = (path: string): string => readFileSync(join(ROOT, path), 'utf8');
const versionOf = (folder: string): string =>
  (JSON.parse(text(join(folder, 'package.json'))) as { version: string }).version;

it('the newest release of CHANGELOG is the version of the project and of its packages', () => {
  const [newest] = [...text('CHANGELOG.md').matchAll(/^## (\d+\.\d+\.\d+)$/gm)].map(([, version]) => version);
  expect(versionOf('.')).toBe(newest);
  const folders = [
    'deploy',
    ...['libs', 'services'].flatMap(top => readdirSync(join(ROOT, top)).map(name => join(top, name))),
  ];
  expect(folders.filter(folder => versionOf(folder) !== newest)).toEqual([]);
});

it('the release whose programs these are stands in one place', () => {
  const programs = readdirSync(join(ROOT, 'deploy'), { recursive: true, encoding: 'utf8' })
    .filter(path => path.endsWith('.ts') && !/node_modules|\.test\.ts$/.test(path))
    .map(path => join('deploy', path));
  expect(programs.filter(path => text(path).includes(`'${RELEASE}`))).toEqual([]);
});
