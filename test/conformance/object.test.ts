import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOurs } from './ours.ts';
import { differs } from './suite.ts';

const run = promisify(execFile);
let ours: Awaited<ReturnType<typeof startOurs>>;
beforeAll(async () => {
  ours = await startOurs();
});
afterAll(() => ours.stop());

it('our object store passes all of the conformance suite, and nothing is left out', async () => {
  const users = [
    '--user',
    'test:tester',
    '--key',
    'testing',
    '--other-user',
    'test2:tester2',
    '--other-key',
    'testing2',
  ];
  const { stdout } = await run(process.execPath, [
    join(import.meta.dirname, 'run.ts'),
    'object',
    ours.authUrl,
    ...users,
    '--quiet',
  ]);
  expect(stdout).toMatch(/^\d{2,} passed, 0 failed, 0 left out\n$/);
});

it('what a target does wrong is told, and the end says so', async () => {
  const failed = run(process.execPath, [
    join(import.meta.dirname, 'run.ts'),
    'object',
    ours.authUrl,
    '--user',
    'x',
    '--key',
    'y',
  ]);
  await expect(failed).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('no login') });
  const answer = { status: 200, headers: { etag: 'e' }, body: Buffer.alloc(0), text: '["a"]' };
  expect(differs(200, answer)).toBeNull();
  expect(differs(204, answer)).toMatch('200 instead of 204');
  expect(differs({ status: 200, headers: { etag: 'f' } }, answer)).toMatch('etag');
  expect(differs({ status: 200, headers: { etag: null } }, answer)).toMatch('etag');
  expect(differs({ status: 200, text: /b/ }, answer)).toMatch('body');
  expect(differs({ status: 200, lines: ['a'] }, answer)).toMatch('lines');
  expect(differs({ status: 200, json: body => body, equals: ['b'] }, answer)).toMatch(
    '["a"] instead of ["b"]',
  );
});
