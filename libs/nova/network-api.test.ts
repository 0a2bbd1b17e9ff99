import { adminContext, systemClock } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { Bus, Message } from '@folsom/rpc';
import { expect, it } from 'vitest';
import { networkApi } from './network-api.ts';

it('an original network service is told which server by its uuid where it expects that, and by its number elsewhere', async () => {
  const sent: Message[] = [];
  const bus: Pick<Bus, 'call'> = {
    call: async (_context, _topic, message) => void sent.push(message),
  };
  const network = networkApi({ bus: bus as Bus, db: {} as Database, clock: systemClock });
  const instance = { id: 7, uuid: 'an-uuid', project_id: 'p', host: 'c1', rxtx_factor: 1 };
  await network.addFixedIp(adminContext(), instance, 'a-network');
  await network.removeFixedIp(adminContext(), instance, '10.0.0.2');
  expect(sent.map(({ method, args }) => [method, args])).toEqual([
    ['add_fixed_ip_to_instance', { instance_id: 7, host: 'c1', network_id: 'a-network' }],
    ['remove_fixed_ip_from_instance', { instance_id: 'an-uuid', host: 'c1', address: '10.0.0.2' }],
  ]);
});
