import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { withOption, withoutSection } from '../ini-edit.ts';
import { getConfig, listConfig, parseOptionName, parseSetting, setConfig } from './config-command.ts';
import { type Layout, layoutOf, portsWithOffset } from './layout.ts';
import { checkSettings, readServiceConf, withoutEffect, writeServiceConfs } from './service-conf.ts';

let dir: string;
let layout: Layout;
const facts = () => ({
  layout,
  ports: portsWithOffset(0),
  hostIp: '127.0.0.1',
  compute: { driver: 'fake' as const, why: '' },
  fixedRange: '10.0.0.0/24',
  floatingRange: '172.24.4.224/28',
  secrets: { adminToken: 'token-of-the-administrator' },
});
const said = async (run: (print: (line: string) => void) => Promise<number>): Promise<string[]> => {
  const lines: string[] = [];
  expect(await run(line => lines.push(line))).toBe(0);
  return lines;
};

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'folsom-config-'));
  layout = layoutOf(dir);
  await mkdir(layout.etc, { recursive: true });
  await writeServiceConfs(facts());
});
afterEach(() => rm(dir, { recursive: true }));

const file = () => join(layout.etc, 'nova.conf');

describe('the options of a cloud', () => {
  it('stand in files that a start makes once and never changes', async () => {
    const text = `${await readFile(file(), 'utf8')}quota_instances = 3\n`;
    await writeFile(file(), text);
    await writeServiceConfs({ ...facts(), hostIp: '127.0.0.2' });
    expect(await readFile(file(), 'utf8')).toBe(text);
    const config = readServiceConf(layout, 'nova');
    expect(config.raw('DEFAULT', 'my_ip').at(-1)).toBe('127.0.0.2');
    expect(config.dump().DEFAULT?.quota_instances).toBe(3);
  });

  it('rank above the defaults of one machine and below what a start decides', async () => {
    expect(readServiceConf(layout, 'nova').dump().DEFAULT).toMatchObject({
      api_rate_limit: false,
      allow_resize_to_same_host: true,
    });
    await writeFile(
      file(),
      '[DEFAULT]\napi_rate_limit = True\nmy_ip = 127.0.0.9\nfixed_range = 10.0.0.0/24\n',
    );
    const config = readServiceConf(layout, 'nova');
    expect(config.dump().DEFAULT).toMatchObject({ api_rate_limit: true, my_ip: '127.0.0.1' });
    // What says the same as the start is no mistake.
    expect(withoutEffect(layout, 'nova', config)).toEqual([
      `${file()}:3: my_ip has no effect, "folsom up" decides it (see its options)`,
    ]);
  });

  it('replace a file of the time when each start wrote it', async () => {
    await writeFile(file(), '[DEFAULT]\nsql_connection = sqlite:////old/nova.sqlite\nmy_ip = 127.0.0.1\n');
    await writeServiceConfs(facts());
    expect(await readFile(file(), 'utf8')).toContain('yours');
  });

  it('that are wrong are told with file and line', async () => {
    await writeFile(file(), '[DEFAULT]\n\nquota_cores = many\n');
    expect(() => readServiceConf(layout, 'nova')).toThrow(
      `${file()}:3: option quota_cores must be a whole number, not "many"`,
    );
  });

  it('can be given for one start, but for what it decides itself', () => {
    const settings = [parseSetting('nova.api_rate_limit=True')];
    expect(readServiceConf(layout, 'nova', settings).dump().DEFAULT?.api_rate_limit).toBe(true);
    expect(() => checkSettings(facts(), [parseSetting('nova.osapi_compute_listen_port=1')])).toThrow(
      /decides it by its own options/,
    );
    for (const text of ['nova', 'nova=1', 'nova.nothing=1', 'cinder.x=1', 'keystone.expiration=5'])
      expect(() => parseSetting(text)).toThrow();
    expect(() => parseOptionName('keystone.expiration')).toThrow(/there is keystone.token.expiration/);
  });

  it('are set, told and taken out again by folsom config', async () => {
    const before = await readFile(file(), 'utf8');
    await said(print => setConfig(layout, 'nova.quota_instances', '7', print));
    await said(print => setConfig(layout, 'nova.quota_instances', '8', print));
    await said(print => setConfig(layout, 'keystone.token.expiration', '60', print));
    expect(await said(print => getConfig(layout, 'nova.quota_instances', print))).toEqual(['8']);
    const listed = await said(print => listConfig(layout, { changed: true }, print));
    expect(listed).toContain('nova.quota_instances = 8   (etc/nova.conf:7)');
    expect(listed).toContain('keystone.token.expiration = 60   (etc/keystone.conf:9)');
    expect(listed).toContain('keystone.admin_token = ***   (decided by folsom up)');
    expect(listed.join('\n')).not.toContain('token-of-the-administrator');
    await said(print => setConfig(layout, 'nova.quota_instances', undefined, print));
    expect(await readFile(file(), 'utf8')).toBe(before);
  });

  it('stay as they were when a value is refused', async () => {
    const before = await readFile(file(), 'utf8');
    for (const [name, value] of [
      ['nova.quota_instances', 'many'],
      ['nova.my_ip', '127.0.0.3'],
      ['nova.quota_instances', '1\n[x]'],
      ['nova.no_such', '1'],
    ] as const)
      await expect(setConfig(layout, name, value, () => {})).rejects.toThrow();
    expect(await readFile(file(), 'utf8')).toBe(before);
  });
});

it.each([
  ['[DEFAULT]\n', '[DEFAULT]\na = 1\n'],
  ['', '\n[DEFAULT]\na = 1\n'],
  ['# c\n[DEFAULT]\nb = 2\n\n[x]\na = 3\n', '# c\n[DEFAULT]\nb = 2\na = 1\n\n[x]\na = 3\n'],
  ['[DEFAULT]\na = 2\n  more\nb = 3\na: 4\n', '[DEFAULT]\nb = 3\na = 1\n'],
  ['[DEFAULT]\n#a = 2\n', '[DEFAULT]\n#a = 2\na = 1\n'],
])('an option goes into its section, once: %j', (before, after) => {
  expect(withOption(before, 'DEFAULT', 'a', '1')).toBe(after);
  expect(withoutSection('[a]\nx = 1\n[b]\ny = 2\n[a]\nz = 3\n', 'a')).toBe('[b]\ny = 2\n');
  expect(withoutSection('[a]\n', 'b')).toBeUndefined();
});
