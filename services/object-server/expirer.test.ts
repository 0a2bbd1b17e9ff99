import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { confSection } from '@folsom/swift';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { expireObjects, expirerOptions, type InternalSwift } from './expirer.ts';

const cache = mkdtempSync(join(tmpdir(), 'expirer-'));
afterAll(() => rmSync(cache, { recursive: true }));

describe('expirer', () => {
  let calls: string[];
  let listings: Record<string, string[]>;
  let statuses: Record<string, number>;
  beforeEach(() => {
    calls = [];
    statuses = {};
    listings = {
      '.expiring_objects': ['86400', '172800', '4000000000'],
      '.expiring_objects/86400': ['90000-a/c/one', '90001-a/c/t w/o', 'nonsense'],
      '.expiring_objects/172800': ['172801-a/c/three', '4000000000-a/c/later'],
    };
  });

  const swift: InternalSwift = async (method, path, headers = {}) => {
    const call = `${method} ${path.split('?')[0]}${headers['x-if-delete-at'] ? ` ${headers['x-if-delete-at']}` : ''}`;
    if (method !== 'GET') {
      calls.push(call);
      return { status: statuses[call] ?? 204, body: Buffer.alloc(0) };
    }
    const url = new URL(path, 'http://x');
    const all = listings[decodeURIComponent(url.pathname.slice(4))];
    if (!all) return { status: 404, body: Buffer.alloc(0) };
    const after = url.searchParams.get('marker')!;
    const from = after === '' ? 0 : all.indexOf(after) + 1;
    // pages of two, to see that paging works
    const page = all.slice(from, from + 2).map(name => ({ name }));
    return { status: 200, body: Buffer.from(JSON.stringify(page)) };
  };
  const world = {
    clock: { ...systemClock, sleep: async () => {} },
    random: seededRandom(1),
    log: silentLogger,
  };
  const options = expirerOptions(confSection({ recon_cache_path: cache }));

  it('deletes what is due, in order, and no more', async () => {
    expect(await expireObjects({ options, swift, world })).toBe(3);
    expect(calls).toEqual([
      'DELETE /v1/a/c/one 90000',
      'DELETE /v1/.expiring_objects/86400/90000-a/c/one',
      'DELETE /v1/a/c/t%20w/o 90001',
      'DELETE /v1/.expiring_objects/86400/90001-a/c/t%20w/o',
      'DELETE /v1/.expiring_objects/86400',
      'DELETE /v1/a/c/three 172801',
      'DELETE /v1/.expiring_objects/172800/172801-a/c/three',
    ]);
    expect(JSON.parse(readFileSync(join(cache, 'object.recon'), 'utf8'))).toMatchObject({
      expired_last_pass: 3,
    });
  });

  it('takes 404 and 412 as done, tries others again and keeps them for the next pass', async () => {
    statuses = { 'DELETE /v1/a/c/one 90000': 412, 'DELETE /v1/a/c/t%20w/o 90001': 503 };
    expect(await expireObjects({ options, swift, world })).toBe(2);
    expect(calls.filter(call => call === 'DELETE /v1/a/c/t%20w/o 90001')).toHaveLength(3);
    expect(calls).toContain('DELETE /v1/.expiring_objects/86400/90000-a/c/one');
    expect(calls).not.toContain('DELETE /v1/.expiring_objects/86400/90001-a/c/t%20w/o');
  });

  it('does nothing where nothing expires', async () => {
    listings = {};
    expect(await expireObjects({ options, swift, world })).toBe(0);
    expect(calls).toEqual([]);
  });
});
