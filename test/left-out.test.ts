import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tempDir } from '@folsom/testing';
import { afterAll, describe, expect, it } from 'vitest';

const { leftOut } = (await import('./left-out.mjs' as string)) as {
  leftOut(
    results: unknown[],
    notes: string,
  ): { files: { file: string; count: number; why: string }[]; silent: number; summary: string };
};
const dir = tempDir('left-out');
afterAll(() => dir.remove());
const file = (name: string, ...statuses: string[]) => ({
  name,
  assertionResults: statuses.map(status => ({ status })),
});

describe('tests that are left out', () => {
  it('are counted with what they need, and those without a word stand out', () => {
    const notes = join(dir.path, 'notes');
    const lines = [
      ['/a.test.ts', 'root'],
      ['/a.test.ts', 'root'],
      ['/b.test.ts', 'FOLSOM_SLOW=1'],
      ['/c.test.ts', 'redis-server'],
    ].map(([file, what]) => `${JSON.stringify({ file, what })}\n`);
    writeFileSync(notes, lines.join(''));
    const results = [
      file('/a.test.ts', 'passed', 'skipped', 'pending'),
      file('/b.test.ts', 'skipped'),
      // Noted, and yet nothing is left out.
      file('/c.test.ts', 'passed'),
      file('/d.test.ts', 'todo', 'failed'),
    ];
    expect(leftOut(results, notes)).toEqual({
      files: [
        { file: '/a.test.ts', count: 2, why: 'needs root' },
        { file: '/b.test.ts', count: 1, why: 'needs FOLSOM_SLOW=1' },
        { file: '/d.test.ts', count: 1, why: 'no reason given' },
      ],
      silent: 1,
      summary: ', 4 skipped (2 needs root; 1 needs FOLSOM_SLOW=1; 1 no reason given)',
    });
  });

  it('are none in a whole run', () => {
    expect(leftOut([file('/a.test.ts', 'passed')], join(dir.path, 'none'))).toEqual({
      files: [],
      silent: 0,
      summary: '',
    });
  });

  it('are noted under the file that asks', () => {
    const notes = join(dir.path, 'from a test');
    const asking = join(dir.path, 'asking.test.ts');
    const seam = fileURLToPath(new URL('../libs/core/testing.ts', import.meta.url));
    writeFileSync(
      asking,
      `import { needs } from ${JSON.stringify(seam)};\nconst f = () => needs('a moon', false);\nif (f() || !needs('a sun', true)) process.exit(7);\n`,
    );
    execFileSync(process.execPath, [asking], { env: { ...process.env, FOLSOM_LEFT_OUT: notes } });
    expect(leftOut([file(asking, 'skipped')], notes).files).toEqual([
      { file: asking, count: 1, why: 'needs a moon' },
    ]);
  });
});

describe('a machine without root or Debian', () => {
  it('installs nothing and is told what is left out', () => {
    const script = `
      process.getuid = () => 1000;
      const { providePackages } = await import(${JSON.stringify(new URL('./packages.mjs', import.meta.url).href)});
      console.log(JSON.stringify(providePackages()));`;
    // No dpkg-query and no apt-get can be found.
    const printed = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      env: { PATH: dir.path },
      encoding: 'utf8',
    });
    const missing = JSON.parse(printed) as string[];
    expect(missing.length).toBeGreaterThan(20);
    expect(missing).toContain('qemu-utils (disks of guests)');
    expect(missing).toContain("python3-openstackclient (today's openstack command)");
  });
});
