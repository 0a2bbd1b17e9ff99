import { Agent, request as httpRequest } from 'node:http';
import { bootBody, DEMO, IMAGE, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { startMariaDb } from '@folsom/testing';
import type { Bench } from './run.ts';

/**
 * The compute API alone: lists of 1,000 instances and boots accepted, on SQLite and, where it is installed, MariaDB. The
 * original on a machine with two cores: servers/detail with 1,000 instances 0.2/s, boots accepted 3/s, flavors 31-39/s.
 */
export const bench: Bench = async print => {
  await measure('SQLite', undefined, print);
  const server = await startMariaDb().catch(() => undefined);
  if (!server) return print('MariaDB is not installed: SQLite only');
  try {
    await measure('MariaDB', await server.createDatabase('nova'), print);
  } finally {
    await server.stop();
  }
};

const INSTANCES = 1_000;

async function measure(name: string, connection: string | undefined, print: (line: string) => void) {
  const quota = { quota_instances: -1, quota_cores: -1, quota_ram: -1 };
  const test = await startTestApi({ nova: quota, ...(connection ? { connection } : {}) });
  const agent = new Agent({ keepAlive: true });
  try {
    await fill(test);
    for (const path of ['servers/detail', 'servers', 'flavors/detail', 'limits']) {
      for (const clients of [1, 8]) {
        print(`${name} GET ${path} c=${clients}: ${await load(test, agent, 'GET', path, clients, 3_000)}`);
      }
    }
    for (const clients of [1, 8]) {
      print(
        `${name} POST servers c=${clients}: ${await load(test, agent, 'POST', 'servers', clients, 3_000)}`,
      );
    }
  } finally {
    agent.destroy();
    await test.stop();
  }
}

/** Instances as they are after their boot, with metadata, group and address. */
export async function fill(test: TestApi): Promise<void> {
  const { knex } = test.db;
  await test.call('POST', 'servers', { body: bootBody() });
  await knex('instances').update({ deleted: 1 });
  const flavor = (await knex('instance_types').where({ flavorid: '1' }).first('id'))!;
  const group = (await knex('security_groups').where({ project_id: DEMO, name: 'default' }).first('id'))!;
  const created_at = '2012-09-27 10:00:00';
  for (let from = 0; from < INSTANCES; from += 100) {
    const rows = Array.from({ length: 100 }, (_, n) => {
      const at = from + n;
      return { at, uuid: `10000000-0000-4000-8000-${String(at).padStart(12, '0')}` };
    });
    await knex('instances').insert(
      rows.map(({ at, uuid }) => ({
        uuid,
        display_name: `guest-${at}`,
        hostname: `guest-${at}`,
        project_id: DEMO,
        user_id: 'user-demo',
        image_ref: IMAGE,
        vm_state: 'active',
        power_state: 1,
        host: `node${at % 2}`,
        instance_type_id: flavor.id,
        memory_mb: 512,
        vcpus: 1,
        root_gb: 0,
        ephemeral_gb: 0,
        created_at,
        updated_at: created_at,
        deleted: 0,
        locked: 0,
        config_drive: '',
      })),
    );
    await knex('instance_metadata').insert(
      rows.flatMap(({ uuid }) =>
        ['a', 'b'].map(key => ({ instance_uuid: uuid, key, value: 'value', created_at, deleted: 0 })),
      ),
    );
    await knex('instance_info_caches').insert(
      rows.map(({ at, uuid }) => ({
        instance_uuid: uuid,
        network_info: networkInfo(`10.0.${at >> 8}.${at & 255}`),
        created_at,
        deleted: 0,
      })),
    );
    await knex('security_group_instance_association').insert(
      rows.map(({ uuid }) => ({ instance_uuid: uuid, security_group_id: group.id, created_at, deleted: 0 })),
    );
  }
}

/** A network model as the network service stores it. */
const networkInfo = (address: string): string =>
  JSON.stringify([
    {
      id: 'card',
      address: 'fa:16:3e:00:00:01',
      meta: {},
      network: {
        id: 'network',
        bridge: 'br100',
        label: 'private',
        meta: { tenant_id: null, injected: false },
        subnets: [
          {
            cidr: '10.0.0.0/22',
            version: 4,
            dns: [{ address: '8.8.4.4', type: 'dns', version: 4, meta: {} }],
            gateway: { address: '10.0.0.1', type: 'gateway', version: 4, meta: {} },
            ips: [{ address, type: 'fixed', version: 4, meta: {}, floating_ips: [] }],
            routes: [],
            meta: { dhcp_server: '10.0.0.1' },
          },
        ],
      },
    },
  ]);

async function load(
  test: TestApi,
  agent: Agent,
  method: string,
  path: string,
  clients: number,
  forMs: number,
): Promise<string> {
  const body = method === 'POST' ? JSON.stringify(bootBody()) : undefined;
  return rate(() => once(`${test.url}/v2/${DEMO}/${path}`, agent, method, body), clients, forMs);
}

/** How often a second `send` is done by so many clients, one after the other each. */
export async function rate(send: () => Promise<unknown>, clients: number, forMs: number): Promise<string> {
  // Once for the caches.
  await send();
  const times: number[] = [];
  const started = performance.now();
  const cpu = process.cpuUsage();
  const client = async () => {
    while (performance.now() - started < forMs) {
      const before = performance.now();
      await send();
      times.push(performance.now() - before);
    }
  };
  await Promise.all(Array.from({ length: clients }, client));
  const seconds = (performance.now() - started) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  // Client and server together: what a busy machine does not change.
  const cpuMs = ((user + system) / 1_000 / times.length).toFixed(1);
  times.sort((a, b) => a - b);
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))]!.toFixed(1);
  return `${(times.length / seconds).toFixed(1)}/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, ${cpuMs} ms of processor`;
}

const once = (url: string, agent: Agent, method: string, body: string | undefined): Promise<void> =>
  new Promise((resolve, reject) => {
    const request = httpRequest(
      url,
      {
        method,
        agent,
        headers: { 'x-auth-token': 'demo', ...(body ? { 'content-type': 'application/json' } : {}) },
      },
      response => {
        if (response.statusCode! >= 300) reject(new Error(`${method} ${url}: ${response.statusCode}`));
        response.resume();
        response.once('end', resolve);
      },
    );
    request.once('error', reject);
    request.end(body);
  });
