import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ACCEPTED_A_TURN, type Acceptors, acceptMore } from './acceptors.ts';

const CLIENTS = ACCEPTED_A_TURN * 4;

/** Connects all clients at once; how many of them the server took in each turn of the loop. */
async function takenByTurn(more: boolean) {
  const sockets: Socket[] = [];
  const server = createServer(socket => void sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  let acceptors: Acceptors | undefined;
  if (more) acceptors = acceptMore(server, 511);
  const { port } = server.address() as AddressInfo;
  const clients = Array.from({ length: CLIENTS }, () => connect(port, '127.0.0.1'));
  onTestFinished(() => {
    for (const socket of [...clients, ...sockets]) socket.destroy();
  });
  const turns: number[] = [];
  for (let before = 0; before < CLIENTS; before = sockets.length) {
    await turnOfTheLoop();
    turns.push(sockets.length - before);
  }
  return { turns, server, acceptors, clients, sockets, port };
}

test('many of the waiting connections are taken in one turn of the loop', async () => {
  const alone = await takenByTurn(false);
  const { turns, server, acceptors } = await takenByTurn(true);
  expect(Math.max(...turns)).toBe(ACCEPTED_A_TURN);
  expect(Math.max(...turns)).toBeGreaterThan(4 * Math.max(...alone.turns));
  alone.server.close();
  server.close();
  void acceptors?.close();
});

test('what was taken is served by the one server, and after the close nothing is taken', async () => {
  const { server, acceptors, clients, sockets, port } = await takenByTurn(true);
  for (const socket of sockets) socket.end('hello');
  const texts = await Promise.all(
    clients.map(async client => (await client.setEncoding('utf8').toArray()).join('')),
  );
  expect(new Set(texts)).toEqual(new Set(['hello']));
  server.close();
  await acceptors?.close();
  const late = connect(port, '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  expect(error.code).toBe('ECONNREFUSED');
});

test('closing waits for the connections that were taken', async () => {
  const { server, acceptors, clients } = await takenByTurn(true);
  server.close();
  let closed = false;
  const closing = acceptors?.close().then(() => {
    closed = true;
  });
  await turnOfTheLoop();
  expect(closed).toBe(false);
  for (const client of clients) client.destroy();
  await closing;
  expect(closed).toBe(true);
});
