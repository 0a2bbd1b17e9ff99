import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { swiftArgs } from './swift-program.ts';

const folder = mkdtempSync(join(tmpdir(), 'swift-args-'));
afterAll(() => rmSync(folder, { recursive: true }));
const conf = join(folder, 'object-server.conf');
writeFileSync(conf, '[DEFAULT]\nworkers = 3\n[object-auditor]\nfiles_per_second = 5\n');

describe('the command line of swift programs', () => {
  let written = '';
  beforeEach(() => {
    written = '';
    vi.spyOn(process.stdout, 'write').mockImplementation(text => {
      written += String(text);
      return true;
    });
  });
  afterEach(() => vi.restoreAllMocks());

  it('is a conf file and flags', () => {
    expect(swiftArgs('swift-object-auditor', [conf, '--once', '-v', '-z', '20'], true)).toMatchObject({
      once: true,
      verbose: true,
      zeroByteFps: 20,
    });
    expect(swiftArgs('swift-object-auditor', ['-o', '--zero_byte_fps=7', conf], true)).toMatchObject({
      once: true,
      zeroByteFps: 7,
    });
    const server = swiftArgs('swift-object-server', [conf], false);
    expect(typeof server === 'object' && server.conf.section('object-auditor').int('workers', 1)).toBe(3);
  });

  it('the word `once` after the conf file means the same', () => {
    expect(swiftArgs('swift-object-updater', [conf, 'once'], true)).toMatchObject({ once: true });
  });

  it.each([
    [[], 'missing config file argument'],
    [[join(folder, 'nowhere')], 'unable to locate'],
    [[conf, '--nonsense'], 'no such option: --nonsense'],
    [[conf, '-z', 'many'], 'option -z'],
  ])('refuses %j', (argv, why) => {
    expect(swiftArgs('swift-object-auditor', argv, true)).toBe(1);
    expect(written).toContain('Usage: swift-object-auditor CONFIG [options]');
    expect(written).toContain(why);
  });

  it('prints its help', () => {
    expect(swiftArgs('swift-object-server', ['--help'], false)).toBe(0);
    expect(written).not.toContain('--once');
  });
});
