import net from 'node:net';
import { silentLogger, systemClock } from '@folsom/core';
import { afterEach, expect, it } from 'vitest';
import { memcachedCache } from './memcached.ts';

const servers: net.Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await new Promise(resolve => server.close(resolve));
});

/** Notes the commands it gets; every `get` finds the number 7 under every key, unless it is to hang up. */
async function listener(options: { hangUp: boolean } = { hangUp: false }) {
  const commands: string[] = [];
  let connections = 0;
  const server = net.createServer(socket => {
    connections++;
    socket.on('error', () => {});
    socket.on('data', bytes => {
      for (const command of bytes.toString().split('\r\n').filter(Boolean)) {
        if (!/^(get|delete) /.test(command)) continue;
        commands.push(command);
        if (options.hangUp) socket.destroy();
        else if (command.startsWith('delete')) socket.write('DELETED\r\n');
        else {
          const keys = command.split(' ').slice(1);
          socket.write(`${keys.map(key => `VALUE ${key} 2 1\r\n7\r\n`).join('')}END\r\n`);
        }
      }
    });
  });
  servers.push(server);
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  const cache = memcachedCache([`127.0.0.1:${port}`], { clock: systemClock, log: silentLogger });
  return { cache, commands, connections: () => connections };
}

it('reads side by side share a command, each key in it once', async () => {
  const { cache, commands } = await listener();
  const keys = Array.from({ length: 30 }, (_, i) => `container/AUTH_a/${i % 3}`);
  expect(await Promise.all(keys.map(key => cache.get(key)))).toEqual(keys.map(() => 7));
  expect(commands).toHaveLength(1);
  expect(commands[0]?.split(' ')).toHaveLength(4);
  cache.close();
});

it('a read after a change is asked for after it', async () => {
  const { cache, commands } = await listener();
  const before = cache.get('key');
  const change = cache.delete('key');
  const after = cache.get('key');
  await Promise.all([before, change, after]);
  expect(commands.map(command => command.split(' ')[0])).toEqual(['get', 'delete', 'get']);
  cache.close();
});

it('many who wait for one answer that does not come are one failure', async () => {
  const options = { hangUp: true };
  const { cache, connections } = await listener(options);
  const many = Array.from({ length: 30 }, (_, i) => cache.get(`key ${i}`));
  expect(await Promise.all(many)).toEqual(many.map(() => undefined));
  options.hangUp = false;
  // Thirty failures would have the server left alone for a minute.
  expect(await cache.get('key')).toBe(7);
  expect(connections()).toBe(2);
  cache.close();
});
