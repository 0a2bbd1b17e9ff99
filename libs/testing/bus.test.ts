import { fileURLToPath } from 'node:url';
import { type Logger, seededRandom, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { startBackground } from '@folsom/host/background';
import { createLocalBus, createRabbitBus, type LocalBus } from '@folsom/rpc';
import { describe } from 'vitest';
import { describeBus } from './bus-conformance.ts';
import { type RabbitServer, rabbitOptions, serverMissing, startRabbit } from './index.ts';

const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };

describe('in process', () => {
  // One object: what is one broker with many connections elsewhere. Closing is only tried on one of its own.
  let shared: LocalBus | undefined;
  describeBus('local', {
    start: async () => {},
    stop: async () => {},
    bus: () => {
      shared ??= createLocalBus(world);
      return { ...shared, close: async () => {} };
    },
    ownBus: () => createLocalBus(world),
    victim: async topic => {
      const served = await shared!.serve({
        topic,
        host: 'victim',
        handlers: {
          slow: async context => {
            await shared!.cast(context, 'observer', { method: 'begun', args: {} });
            await new Promise(() => {});
          },
        },
      });
      return { kill: async () => shared!.crash(served) };
    },
  });
});

describe.skipIf(serverMissing('rabbit'))('over a broker', () => {
  let broker: RabbitServer;
  const log: Logger = silentLogger;
  describeBus('RabbitMQ', {
    start: async () => {
      broker = await startRabbit();
    },
    stop: async () => broker.stop(),
    bus: () =>
      createRabbitBus({
        options: rabbitOptions(broker.port),
        world: { clock: systemClock, random: systemRandom, log },
      }),
    victim: async topic => {
      const program = fileURLToPath(new URL('./bus-victim.ts', import.meta.url));
      const child = await startBackground([process.execPath, program, `${broker.port}`, topic], {
        dieWithParent: true,
      });
      return {
        kill: async () => {
          child.signal('SIGKILL');
          await child.ended;
        },
      };
    },
    restartBroker: () => broker.restart(),
  });
});
