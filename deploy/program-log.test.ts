import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commonOptions, configFrom } from '@folsom/config';
import { afterAll, expect, it, vi } from 'vitest';
import { openLogFile } from './log-file.ts';
import { programLog } from './program-log.ts';

const dir = mkdtempSync(join(tmpdir(), 'program-log-'));
afterAll(() => rmSync(dir, { recursive: true }));
const path = (name: string) => join(dir, name);
const text = (name: string) => (existsSync(path(name)) ? readFileSync(path(name), 'utf8') : '');
const logOf = (settings: Record<string, string>) =>
  programLog(configFrom([commonOptions], { DEFAULT: settings }), 'nova-api');

it('goes where log_file and log_dir say, for its owner’s eyes only', async () => {
  logOf({ log_file: path('whole.log') }).info('one');
  logOf({ log_dir: dir, log_file: 'named.log' }).info('two');
  logOf({ logdir: dir }).info('three');
  logOf({ log_dir: '/nowhere/deeper', logfile: path('absolute.log'), debug: 'true' }).debug('four');
  await vi.waitFor(() => expect(text('whole.log')).toContain('one'));
  await vi.waitFor(() => expect(text('named.log')).toContain('two'));
  await vi.waitFor(() => expect(text('nova-api.log')).toContain('three'));
  await vi.waitFor(() => expect(text('absolute.log')).toContain('four'));
  expect(statSync(path('nova-api.log')).mode & 0o777).toBe(0o600);
  logOf({ log_dir: path('made') }).info('five');
  await vi.waitFor(() => expect(text('made/nova-api.log')).toContain('five'));
  logOf({ log_dir: dir, log_file: '' }).info('six');
  await vi.waitFor(() => expect(text('nova-api.log')).toContain('six'));
  expect(() => logOf({ log_file: '', log_dir: '' })).not.toThrow();
  expect(() => logOf({ log_dir: '/nowhere/deeper' })).toThrow(
    /^the log file \/nowhere\/deeper\/nova-api.log cannot be written: ENOENT/,
  );
});

it('has what happens unless a file wants warnings only, and everything where it is asked for', async () => {
  const said = (name: string, settings: Record<string, string>) => {
    const log = logOf({ log_file: path(name), ...settings });
    log.debug('small');
    log.info('usual');
    log.warn('odd');
    return vi.waitFor(() => {
      expect(text(name)).toContain('odd');
      return ['small', 'usual'].filter(word => text(name).includes(word));
    });
  };
  expect(await said('plain.log', {})).toEqual(['usual']);
  expect(await said('verbose.log', { verbose: 'True' })).toEqual(['usual']);
  expect(await said('quiet.log', { verbose: 'False' })).toEqual([]);
  expect(await said('both.log', { verbose: 'False', debug: 'True' })).toEqual(['small', 'usual']);
});

it('begins a new file when the old one is moved away, deleted or full', () => {
  const log = openLogFile(path('x.log'), 20);
  const write = (line: string) => {
    log.write(line);
    log.flush();
  };
  write('one\n');
  renameSync(path('x.log'), path('x.log.rotated'));
  write('two\n');
  expect([text('x.log.rotated'), text('x.log')]).toEqual(['one\n', 'two\n']);
  rmSync(path('x.log'));
  write('three\n');
  expect(text('x.log')).toBe('three\n');
  write('twenty characters and more\n');
  expect(text('x.log.1')).toBe('three\ntwenty characters and more\n');
  write('four\n');
  log.close();
  expect(text('x.log')).toBe('four\n');
});

it('bears that its folder is deleted', () => {
  const folder = path('deleted');
  mkdirSync(folder);
  const log = openLogFile(join(folder, 'x.log'));
  rmSync(folder, { recursive: true });
  log.write('one\n');
  log.flush();
  log.write('two\n');
  log.close();
  mkdirSync(folder);
  const again = openLogFile(join(folder, 'x.log'));
  again.write('three\n');
  again.close();
  expect(text('deleted/x.log')).toBe('three\n');
});

it('has levels of single services, as default_log_levels names them', async () => {
  const log = programLog(
    configFrom([commonOptions], {
      DEFAULT: {
        log_file: path('levels.log'),
        debug: 'true',
        default_log_levels: 'sqlalchemy=WARN,nova=WARNING,nova.compute=DEBUG',
      },
    }),
    'keystone',
  );
  log.debug('all else is as debug says');
  log.child({ service: 'nova-scheduler' }).info('too light for nova');
  log.child({ service: 'nova-compute' }).debug('nova-compute is asked for');
  log.child({ service: 'nova-computer' }).warn('graver');
  await vi.waitFor(() => expect(text('levels.log')).toContain('graver'));
  const messages = text('levels.log')
    .trim()
    .split('\n')
    .map(line => (JSON.parse(line) as { message: string }).message);
  expect(messages).toEqual(['all else is as debug says', 'nova-compute is asked for', 'graver']);
  expect(() => logOf({ default_log_levels: 'nova=LOUD' })).toThrow(
    'default_log_levels: "nova=LOUD" names no level; there are debug, info, warn, error',
  );
});
