import { appendFile, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { silentLogger, systemClock } from '@folsom/core';
import { expect, it } from 'vitest';
import { type LeaseEvent, leaseSpool } from './lease-spool.ts';

it('keeps an event while the database is away, and forgets one that can never be told', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'lease-spool-'));
  const told: LeaseEvent[] = [];
  let away = true;
  const spool = await leaseSpool({
    directory: dir,
    clock: systemClock,
    log: silentLogger,
    passing: error => (error as Error).message === 'away',
    onEvent: async event => {
      if (event.address === '10.0.0.9') throw new Error('nobody has this address');
      if (away) throw new Error('away');
      told.push(event);
    },
  });
  await appendFile(
    join(dir, 'leases.spool'),
    'add aa:bb:cc:00:00:09 10.0.0.9\nadd aa:bb:cc:00:00:02 10.0.0.2\n',
  );
  await spool.drain();
  expect(told).toEqual([]);
  away = false;
  await spool.drain();
  await spool.drain();
  expect(told).toEqual([{ action: 'add', mac: 'aa:bb:cc:00:00:02', address: '10.0.0.2' }]);
  await spool.stop();
  await rm(dir, { recursive: true });
});
