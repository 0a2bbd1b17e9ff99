import type { World } from '@folsom/core';
import type { RabbitOptions } from './options.ts';
import { rabbitConnection } from './rabbit-connection.ts';

const CONNECT_MS = 30_000;

/** Deletes queues of the broker with all that waits in them, and an exchange; those that are not there are passed over. */
export async function deleteQueues(
  options: RabbitOptions,
  world: World,
  { queues, exchange }: { queues: readonly string[]; exchange?: string },
): Promise<void> {
  const connection = rabbitConnection(options, world);
  try {
    const { model } = await connection.session(CONNECT_MS);
    const channel = await model.createChannel();
    for (const queue of queues) await channel.deleteQueue(queue);
    if (exchange !== undefined) await channel.deleteExchange(exchange);
    await channel.close();
  } finally {
    await connection.close();
  }
}
