import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { createLocalBus } from '@folsom/rpc';
import { expect, it } from 'vitest';
import { errorPublisher } from './publish-errors.ts';

it('tells errors of the log, and none about its own failure to do so', async () => {
  const told: unknown[] = [];
  let publish = (_line: string): void => {};
  const lines: string[] = [];
  const log = createLogger({
    write: line => {
      lines.push(line);
      publish(line);
    },
  });
  const world = { clock: systemClock, random: systemRandom, log };
  let away = false;
  const bus = {
    ...createLocalBus(world),
    notify: async (_context: unknown, topic: string, priority: string, body: unknown) => {
      if (away) throw new Error('the broker is away');
      told.push({ topic, priority, ...(body as object) });
    },
  };
  const drivers = ['nova.openstack.common.notifier.rabbit_notifier'];
  publish = errorPublisher({ bus, world, drivers, topics: ['notifications'] });
  log.info('all is well');
  log.error('it broke', { instance: 'x', error: new Error('inside') });
  await expect.poll(() => told.length).toBe(1);
  expect(told).toMatchObject([
    {
      ...{ topic: 'notifications', priority: 'ERROR', event_type: 'error_notification' },
      ...{ publisher_id: 'error.publisher', payload: { error: 'it broke' } },
    },
  ]);
  away = true;
  log.error('again');
  await expect.poll(() => lines.filter(line => line.includes('could not be sent')).length).toBe(1);
  away = false;
  log.error('once more');
  await expect.poll(() => told.length).toBe(2);
  expect(lines.filter(line => line.includes('could not be sent'))).toHaveLength(1);
});
