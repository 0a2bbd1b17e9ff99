import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { requestContext, silentLogger, systemClock, systemRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { certContract } from '@folsom/nova/rpc/cert';
import { consoleauthContract } from '@folsom/nova/rpc/consoleauth';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import { listServices } from '@folsom/nova/services';
import { type Bus, createRabbitBus } from '@folsom/rpc';
import {
  eventually,
  freePort,
  type RabbitServer,
  type RunningProgram,
  rabbitOptions,
  serverMissing,
  startProgram,
  startRabbit,
  type TempDir,
  tempDir,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** Daemons as the programs they are: nova.conf, database file, RabbitMQ, signals. */
describe.skipIf(serverMissing('rabbit'))('nova programs', { timeout: 120_000 }, () => {
  const context = requestContext({ isAdmin: true });
  let dir: TempDir;
  let broker: RabbitServer;
  let db: Database;
  let bus: Bus;
  let conf: string;
  let proxyPort: number;
  const running: RunningProgram[] = [];

  const start = async (name: string) => {
    const program = await startProgram(name, ['--config-file', conf], {
      logFile: join(dir.path, `${name}.log`),
      until: /"message":"ready"/,
    });
    running.push(program);
    return program;
  };

  beforeAll(async () => {
    dir = tempDir('nova-programs');
    broker = await startRabbit();
    proxyPort = await freePort();
    const connection = `sqlite:///${join(dir.path, 'nova.sqlite')}`;
    db = await openDatabase({ connection });
    await dbSync(db, 'nova');
    conf = join(dir.path, 'nova.conf');
    writeFileSync(
      conf,
      [
        '[DEFAULT]',
        'host = node1',
        `sql_connection = ${connection}`,
        'rabbit_host = 127.0.0.1',
        `rabbit_port = ${broker.port}`,
        `state_path = ${dir.path}`,
        'report_interval = 1',
        'novncproxy_host = 127.0.0.1',
        `novncproxy_port = ${proxyPort}`,
        '',
      ].join('\n'),
    );
    bus = createRabbitBus({
      options: rabbitOptions(broker.port),
      world: { clock: systemClock, random: systemRandom, log: silentLogger },
    });
  }, 240_000);

  afterAll(async () => {
    for (const program of running) await program.stop();
    await bus?.close();
    await db?.close();
    await broker?.stop();
    dir?.remove();
  }, 240_000);

  it('report themselves, answer over the broker, and end cleanly', async () => {
    for (const name of ['nova-scheduler', 'nova-consoleauth', 'nova-cert', 'nova-novncproxy'])
      await start(name);
    const services = await listServices(db.knex);
    expect(services.map(({ binary, host, topic }) => [binary, host, topic]).sort()).toEqual([
      ['nova-cert', 'node1', 'cert'],
      ['nova-consoleauth', 'node1', 'consoleauth'],
      ['nova-scheduler', 'node1', 'scheduler'],
    ]);
    await eventually(async () =>
      (await listServices(db.knex)).every(service => service.report_count > 1),
    ).toBe(true);
    const scheduler = schedulerContract.client(bus);
    await expect(scheduler.show_host_resources(context, { host: 'none' })).rejects.toMatchObject({
      name: 'ComputeHostNotFound',
      status: 404,
    });
    expect(await consoleauthContract.client(bus).check_token(context, { token: 'x' })).toBeNull();
    expect(await certContract.client(bus).fetch_ca(context, { project_id: null })).toContain(
      'BEGIN CERTIFICATE',
    );
    expect((await fetch(`http://127.0.0.1:${proxyPort}/vnc_auto.html?token=x`)).status).toBe(200);
    for (const program of running) {
      program.kill('SIGTERM');
      expect(await program.exited).toBe(0);
    }
  });

  it('say in one sentence what is wrong', async () => {
    const wrong = async (lines: string, name = 'nova-scheduler') => {
      const file = join(dir.path, 'wrong.conf');
      writeFileSync(file, `[DEFAULT]\n${lines}\n`);
      return startProgram(name, ['--config-file', file], {
        logFile: join(dir.path, 'wrong.log'),
        until: /"message":"ready"/,
      }).then(
        () => 'started',
        (error: Error) => error.message.trim().split('\n').at(-1),
      );
    };
    const sqlite = `sql_connection = sqlite:///${join(dir.path, 'nova.sqlite')}\nfake_rabbit = true`;
    expect(await wrong(`sql_connection = sqlite:///${join(dir.path, 'empty.sqlite')}`)).toContain(
      'nova-manage db sync',
    );
    expect(await wrong(`${sqlite}\nscheduler_driver = my.Driver`)).toBe(
      'nova-scheduler: Class my.Driver could not be found: not a scheduler driver',
    );
    expect(await wrong('novncproxy_port = x', 'nova-novncproxy')).toContain('novncproxy_port');
  });
});
