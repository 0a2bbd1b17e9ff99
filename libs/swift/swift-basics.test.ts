import { httpDate, parseHttpDate } from '@folsom/swift-http';
import { describe, expect, it } from 'vitest';
import { partitionOf, pathHash } from './hash-path.ts';
import { invalidDeviceOrPartition, isMounted, splitPath, storageDirectory } from './storage-paths.ts';
import { confSection, hashPathSuffix, parseConf } from './swift-conf.ts';
import { normalizeTimestamp, parseFloatText, timestampOf } from './timestamps.ts';

describe('timestamps', () => {
  it.each([
    ['1347000000.12345', '1347000000.12345'],
    ['1347000000', '1347000000.00000'],
    ['1.5', '0000000001.50000'],
    ['0', '0000000000.00000'],
    ['1347000000.123456', '1347000000.12346'],
  ])('%s is %s', (from, to) => expect(normalizeTimestamp(from)).toBe(to));
  it.each([['abc'], [''], ['nan'], ['inf'], ['1_0'], ['0x10']])('%s is none', text => {
    expect(parseFloatText(text)).toBeNull();
    expect(() => normalizeTimestamp(text)).toThrow(RangeError);
  });
  it('takes milliseconds', () => expect(timestampOf(1347000000123)).toBe('1347000000.12300'));
});

describe('hash path', () => {
  it('is where the original puts the fixture objects', () => {
    const hash = pathHash('changeme');
    expect(hash.hex('AUTH_test')).toBe('9d00c9d091fea9ea855f29c22714dc83');
    expect(partitionOf(hash.hex('AUTH_test'), 22)).toBe(628);
    expect(hash.prefix('AUTH_test') >>> 22).toBe(628);
    expect(storageDirectory('accounts', 628, hash.hex('AUTH_test'))).toBe(
      'accounts/628/c83/9d00c9d091fea9ea855f29c22714dc83',
    );
  });
});

describe('paths', () => {
  it.each([
    ['/a', 1, 1, false, ['a']],
    ['/a/b', 1, 2, false, ['a', 'b']],
    ['/a', 1, 2, false, ['a', undefined]],
    ['/d/p/a/c/o/with/slashes', 5, 5, true, ['d', 'p', 'a', 'c', 'o/with/slashes']],
    ['/d/p/a/c/o//x/', 5, 5, true, ['d', 'p', 'a', 'c', 'o//x/']],
    ['/a/c/', 2, 3, true, ['a', 'c', undefined]],
    ['', 1, 1, false, null],
    ['/', 1, 1, false, null],
    ['//', 1, 1, false, null],
    ['/a//c', 3, 3, false, null],
    ['/a/c', 3, 3, false, null],
    ['/a/b/c', 1, 2, false, null],
  ] as const)('%s %i-%i', (path, min, max, rest, expected) => {
    expect(splitPath(path, min, max, rest)).toEqual(expected);
  });
  it('refuses names that climb', () => {
    for (const name of ['', '.', '..', 'a/b', 'a\0']) {
      expect(invalidDeviceOrPartition(name, '1')).toContain('Invalid device');
      expect(invalidDeviceOrPartition('sda', name)).toContain('Invalid partition');
    }
    expect(invalidDeviceOrPartition('sda', '1')).toBeNull();
  });
  it('tells a mount from a directory', () => {
    expect(isMounted('/', 'proc')).toBe(true);
    expect(isMounted('/', 'etc')).toBe(false);
    expect(isMounted('/', 'nowhere')).toBe(false);
  });
});

describe('dates', () => {
  it.each([
    ['Sun, 06 Nov 1994 08:49:37 GMT'],
    ['Sunday, 06-Nov-94 08:49:37 GMT'],
    ['Sun Nov  6 08:49:37 1994'],
    ['Sun, 06 Nov 1994 10:49:37 +0200'],
  ])('%s', text => expect(httpDate(parseHttpDate(text)!)).toBe('Sun, 06 Nov 1994 08:49:37 GMT'));
  it('says null to anything else', () => {
    for (const text of ['', 'yesterday', '2012-09-27', 'Sun, 06 Foo 1994 08:49:37 GMT']) {
      expect(parseHttpDate(text)).toBeNull();
    }
  });
});

describe('conf files', () => {
  const conf = parseConf(`
# comment
[DEFAULT]
bind_port = 6010
devices = /srv/1/node
mount_check = false ; inline
[pipeline:main]
pipeline = recon object-server
[app:object-server]
use = egg:swift#object
set bind_port = 6020
allowed_headers = Content-Disposition,
  X-Delete-At
[swift-hash]
swift_hash_path_suffix = changeme
`);
  it('inherits defaults and reads types', () => {
    const app = conf.section('app:object-server');
    expect(app.int('bind_port', 0)).toBe(6020);
    expect(app.bool('mount_check', true)).toBe(false);
    expect(app.str('devices', '')).toBe('/srv/1/node');
    expect(app.list('allowed_headers', [])).toEqual(['Content-Disposition', 'X-Delete-At']);
    expect(conf.pipeline).toEqual(['recon', 'object-server']);
    expect(hashPathSuffix(conf)).toBe('changeme');
  });
  it('says which option is wrong', () => {
    expect(() => confSection({ workers: 'many' }, 'x').int('workers', 1)).toThrow('workers = many');
    expect(() => parseConf('nonsense')).toThrow('line 1');
    expect(() => hashPathSuffix(parseConf(''))).toThrow('swift_hash_path_suffix');
  });
});
