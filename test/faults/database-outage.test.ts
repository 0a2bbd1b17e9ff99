import { staticValidator } from '@folsom/auth';
import { fakeDriver, startCompute } from '@folsom/compute-agent';
import { type ComputeApi, novaPolicy, startComputeApi } from '@folsom/compute-api';
import { configFrom } from '@folsom/config';
import { seededRandom, silentLogger, systemClock, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { startNetwork } from '@folsom/network';
import { createNetworks } from '@folsom/network/create-networks';
import { novaFaultStatus } from '@folsom/nova/faults';
import { createFlavor } from '@folsom/nova/flavors';
import { novaOptions } from '@folsom/nova/options';
import { type Bus, createRabbitBus } from '@folsom/rpc';
import { schedulerOptions, startScheduler, trustOptions } from '@folsom/scheduler';
import {
  type MariaDb,
  type RabbitServer,
  rabbitOptions,
  SLOW,
  serverMissing,
  startMariaDb,
  startRabbit,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageService } from '../simulation/images.ts';

/** The database dies in the middle of boots and deletions, and comes back: nothing acknowledged is lost or stuck. */
const TENANT = 'd'.repeat(32);
const IMAGE = '11111111-1111-4111-8111-111111111111';
const missing = serverMissing('mariadb') || serverMissing('rabbit');

describe.skipIf(missing)('a database that goes away', { timeout: 300_000 }, () => {
  let server: MariaDb;
  let broker: RabbitServer;
  let api: ComputeApi;
  let db: Database;
  const closing: (() => Promise<void>)[] = [];

  beforeAll(async () => {
    [server, broker] = await Promise.all([startMariaDb(), startRabbit()]);
    const connection = await server.createDatabase('nova');
    const images = imageService(systemClock);
    images.add(IMAGE);
    /** Every daemon has its own connections, as a process of its own would. */
    const parts = async (host: string, seed: number) => {
      const world: World = { clock: systemClock, random: seededRandom(seed), log: silentLogger };
      const own = await openDatabase({ connection, clock: systemClock });
      const bus: Bus = createRabbitBus({
        options: rabbitOptions(broker.port),
        world,
        faultStatus: novaFaultStatus,
      });
      closing.push(async () => {
        await bus.close();
        await own.close();
      });
      const config = configFrom([novaOptions, schedulerOptions, trustOptions], {
        DEFAULT: {
          host,
          fake_network: true,
          network_manager: 'nova.network.manager.FlatDHCPManager',
          flat_network_bridge: 'br100',
          osapi_compute_listen: '127.0.0.1',
          osapi_compute_listen_port: 0,
          api_rate_limit: false,
          quota_instances: -1,
          quota_cores: -1,
          quota_ram: -1,
          report_interval: 2,
        },
      });
      return { config, db: own, database: own, bus, world };
    };
    const started = async <T extends { stop(): Promise<void> }>(service: Promise<T>): Promise<T> => {
      const running = await service;
      closing.push(() => running.stop());
      return running;
    };
    db = await openDatabase({ connection });
    closing.push(() => db.close());
    await dbSync(db, 'nova');
    const flavor = { name: 'tiny', flavorid: '77', memory_mb: 64, vcpus: 1, root_gb: 0, ephemeral_gb: 0 };
    await createFlavor(db.knex, { ...flavor, swap: 0, rxtx_factor: 1, is_public: true }, systemClock.now());
    await createNetworks(
      { db, random: seededRandom(9), now: systemClock.now() },
      { label: 'private', cidr: '10.0.0.0/24', num_networks: 1, network_size: 256, bridge: 'br100' },
      {
        bridge: 'br100',
        bridgeInterface: 'eth0',
        numNetworks: 1,
        networkSize: 256,
        dns1: '8.8.4.4',
        multiHost: false,
      },
    );
    await started(startNetwork(await parts('control', 1)));
    await started(startScheduler(await parts('control', 2)));
    const slow = () => systemClock.sleep(40);
    for (const [n, host] of ['node1', 'node2'].entries()) {
      const driver = fakeDriver({ host });
      const own = await parts(host, 3 + n);
      await started(startCompute({ ...own, driver, images: images.forCompute, observe: slow }));
    }
    const user = { userId: 'u', userName: 'u', tenantId: TENANT, tenantName: 't', roles: ['admin'] };
    api = await started(
      startComputeApi({
        ...(await parts('control', 7)),
        validator: staticValidator({ user }),
        policy: novaPolicy(),
        images: images.forApi,
      }),
    );
  }, 300_000);
  afterAll(async () => {
    for (const close of closing.reverse()) await close();
    await broker?.stop();
    await server?.stop();
  }, 120_000);

  const call = async (method: string, path: string, body?: unknown) => {
    const answer = await fetch(`http://${api.addresses[0]}/v2/${TENANT}/${path}`, {
      method,
      headers: { 'x-auth-token': 'user', 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, json: text.startsWith('{') ? JSON.parse(text) : undefined, text };
  };
  const boot = async (name: string): Promise<string | undefined> => {
    const { status, json, text } = await call('POST', 'servers', {
      server: { name, imageRef: IMAGE, flavorRef: '77' },
    });
    if (status === 202) return json.server.id as string;
    expect(status, text).toBe(503);
    return undefined;
  };
  const rows = async (uuids: readonly string[]) =>
    (await db
      .knex('instances')
      .whereIn('uuid', [...uuids])
      .select('uuid', 'vm_state', 'task_state', 'deleted')) as {
      uuid: string;
      vm_state: string;
      task_state: string | null;
      deleted: number;
    }[];
  const unfinished = async (uuids: readonly string[]) =>
    (await rows(uuids))
      .filter(row => row.vm_state !== 'active' || row.task_state !== null)
      .map(row => `${row.vm_state}/${row.task_state}`);

  // Thirty seconds pass every pause between two attempts; three are within the first.
  it.each([['three seconds', 3_000], ...(SLOW ? [['thirty seconds', 30_000] as const] : [])] as const)(
    'for %s loses no boot and no deletion',
    async (_words, awayMs) => {
      const old = await Promise.all(Array.from({ length: 8 }, (_, n) => boot(`old${n}`)));
      const present = old.filter(id => id !== undefined);
      expect(present).toHaveLength(8);
      await expect.poll(() => unfinished(present), { timeout: 60_000 }).toEqual([]);

      const accepted: string[] = [];
      const doomed: string[] = [];
      const asked = [
        ...Array.from({ length: 20 }, async (_, n) => {
          const id = await boot(`vm${n}`);
          if (id !== undefined) accepted.push(id);
        }),
        ...present.map(async id => {
          const { status } = await call('DELETE', `servers/${id}`);
          if (status === 204) doomed.push(id);
        }),
      ];
      await expect.poll(() => accepted.length, { timeout: 60_000, interval: 2 }).toBeGreaterThanOrEqual(10);
      await server.kill();
      await Promise.all([...asked, systemClock.sleep(awayMs)]);
      await server.start();

      await expect.poll(() => unfinished(accepted), { timeout: 90_000 }).toEqual([]);
      expect(await rows(accepted)).toHaveLength(accepted.length);
      await expect
        .poll(async () => (await rows(doomed)).filter(row => row.deleted !== 1), { timeout: 90_000 })
        .toEqual([]);
      // One address each for what is there, none for what is gone.
      const held = (await db.knex('fixed_ips').whereNotNull('instance_uuid').select('instance_uuid')) as {
        instance_uuid: string;
      }[];
      const of = (id: string) => held.filter(row => row.instance_uuid === id).length;
      expect(accepted.map(of)).toEqual(accepted.map(() => 1));
      await expect.poll(async () => (await db.knex('folsom_outbox')).length, { timeout: 90_000 }).toBe(0);
      console.info(`${accepted.length} boots and ${doomed.length} deletions survived`);
    },
  );
});
