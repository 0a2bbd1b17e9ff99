// A worker in a process of its own, for tests that kill it: `node bus-victim.ts PORT TOPIC`.
import { createLogger, systemClock, systemRandom } from '@folsom/core';
import { createRabbitBus } from '@folsom/rpc';
import { rabbitOptions } from './rabbit.ts';

const [port, topic] = process.argv.slice(2);
if (port === undefined || topic === undefined) throw new Error('usage: bus-victim PORT TOPIC');
const bus = createRabbitBus({
  options: rabbitOptions(Number(port)),
  world: { clock: systemClock, random: systemRandom, log: createLogger({ level: 'warn' }) },
});
await bus.serve({
  topic,
  host: 'victim',
  handlers: {
    slow: async context => {
      await bus.cast(context, 'observer', { method: 'begun', args: {} });
      await new Promise(() => {});
    },
  },
});
