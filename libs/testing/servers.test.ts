import { existsSync } from 'node:fs';
import amqp from 'amqplib';
import { Redis } from 'ioredis';
import mysql from 'mysql2/promise';
import { expect, it } from 'vitest';
import { serverMissing, startMariaDb, startRabbit, startRedis } from './index.ts';

it.skipIf(serverMissing('mariadb'))(
  'MariaDB starts, keeps its data over a kill, and leaves nothing behind',
  async () => {
    const server = await startMariaDb();
    const url = await server.createDatabase('nova');
    const first = await mysql.createConnection(url);
    await first.query('CREATE TABLE t (n INT) ENGINE=InnoDB');
    await first.query('INSERT INTO t VALUES (7)');
    first.on('error', () => {});
    first.destroy();
    await server.kill();
    await server.start();
    const second = await mysql.createConnection(url);
    expect((await second.query('SELECT n FROM t'))[0]).toEqual([{ n: 7 }]);
    await second.end();
    await server.stop();
    await server.stop();
    expect(existsSync(server.socket)).toBe(false);
  },
);

it.skipIf(serverMissing('redis'))('Redis starts and ends', async () => {
  const server = await startRedis();
  const client = new Redis(server.url);
  expect(await client.set('a', '1')).toBe('OK');
  client.disconnect();
  await server.stop();
});

it.skipIf(serverMissing('rabbit'))(
  'RabbitMQ starts, restarts and ends',
  async () => {
    const server = await startRabbit();
    expect(await server.ctl('list_vhosts')).toContain('/');
    await server.restart();
    const connection = await amqp.connect(server.url);
    await connection.close();
    await server.stop();
  },
  180_000,
);
