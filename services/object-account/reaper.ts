import {
  AccountDb,
  databasesOf,
  eachOf,
  type ListedContainer,
  listRows,
  openWhenFree,
  ownAddresses,
  usableDevices,
} from '@folsom/container-db';
import type { Logger, World } from '@folsom/core';
import { must } from '@folsom/core';
import type { Ring, RingDevice } from '@folsom/ring';
import { type ConfSection, type Pass, type PathHash, stamps } from '@folsom/swift';
import { type InternalClient, internalText, quotePath } from '@folsom/swift-http';

/** Options of `[account-reaper]`; times in milliseconds unless said otherwise. */
export interface ReaperOptions {
  devices: string;
  mountCheck: boolean;
  bindPort: number;
  intervalMs: number;
  nodeTimeoutMs: number;
  connTimeoutMs: number;
  concurrency: number;
  /** How long a deleted account is left alone, seconds. */
  delayReaping: number;
}

export const reaperOptions = (conf: ConfSection): ReaperOptions => ({
  devices: conf.str('devices', '/srv/node'),
  mountCheck: conf.bool('mount_check', true),
  bindPort: conf.int('bind_port', 6002),
  intervalMs: conf.int('interval', 3600) * 1000,
  nodeTimeoutMs: conf.float('node_timeout', 10) * 1000,
  connTimeoutMs: conf.float('conn_timeout', 0.5) * 1000,
  concurrency: conf.int('concurrency', 25),
  delayReaping: conf.int('delay_reaping', 0),
});

export interface ReaperParts {
  options: ReaperOptions;
  rings: { account: Ring; container: Ring; object: Ring };
  pathHash: PathHash;
  client: InternalClient;
  world: World;
}

const LIST_AT_ONCE = 1000;

interface Counts {
  containersDeleted: number;
  objectsDeleted: number;
  containersRemaining: number;
  objectsRemaining: number;
}

/** One pass of the reaper: accounts marked deleted lose their containers and objects. */
export function reaperPass(parts: ReaperParts): Pass {
  const { options, world } = parts;
  const log = world.log.child({ service: 'swift-account-reaper' });
  return {
    name: 'swift-account-reaper',
    run: async signal => {
      const own = ownAddresses();
      const began = world.clock.monotonic();
      const devices = await usableDevices(options.devices, options.mountCheck, log);
      for await (const { path, device, partition } of databasesOf(options.devices, 'account', devices)) {
        if (signal.aborted) return;
        if (!/^\d+$/.test(partition)) continue;
        const nodes = parts.rings.account.nodes(Number(partition));
        const first = nodes[0];
        // Only the first replica's server reaps an account.
        if (!first || !own.has(first.ip) || first.port !== options.bindPort || first.device !== device)
          continue;
        let db: AccountDb | null = null;
        try {
          db = await openWhenFree(AccountDb, path, { world: { ...world, log } });
          const stat = db.stat();
          if (stat.status !== 'DELETED' || db.count(stat) === 0) continue;
          // Another replica knows that the deletion was taken back.
          if (stat.put_timestamp > stat.delete_timestamp) continue;
          if (world.clock.now() / 1000 - Number(stat.delete_timestamp) <= options.delayReaping) continue;
          await reapAccount({ ...parts, log }, db, stat.account, Number(partition), nodes, signal);
        } catch (error) {
          log.error('cannot reap an account', { path, error });
        } finally {
          db?.close();
        }
      }
      log.info('pass completed', { seconds: (world.clock.monotonic() - began) / 1000 });
    },
  };
}

type Work = ReaperParts & { log: Logger };

async function reapAccount(
  work: Work,
  db: AccountDb,
  account: string,
  partition: number,
  nodes: readonly RingDevice[],
  signal: AbortSignal,
): Promise<void> {
  const { log, world } = work;
  const began = world.clock.monotonic();
  const counts: Counts = {
    containersDeleted: 0,
    objectsDeleted: 0,
    containersRemaining: 0,
    objectsRemaining: 0,
  };
  const stamp = stamps(world);
  log.info('beginning on an account', { account });
  const atOnce = Math.max(1, Math.floor(Math.sqrt(work.options.concurrency)));
  for (let marker = ''; !signal.aborted; ) {
    const rows = listRows<ListedContainer>(
      { limit: LIST_AT_ONCE, marker },
      (bounds, limit) => [...db.rowsFrom(bounds, limit)],
      name => [name, 0, 0, 1],
    );
    if (!rows.length) break;
    await eachOf(rows, atOnce, signal, async ([container]) => {
      try {
        await reapContainer(work, account, partition, nodes, container, atOnce, stamp, counts, signal);
      } catch (error) {
        counts.containersRemaining++;
        log.error('cannot reap a container', { account, container, error });
      }
    });
    marker = must(rows[rows.length - 1], 'rows is not empty')[0];
  }
  log.info('account done', { account, ...counts, seconds: (world.clock.monotonic() - began) / 1000 });
}

/** Sends DELETE for a path to each node, with what each is to update; how many did it and how many did not. */
async function deleteOnAll(
  work: Work,
  nodes: readonly RingDevice[],
  partition: number,
  path: string,
  headersFor: (index: number) => [string, string][],
): Promise<{ done: number; failed: number }> {
  let done = 0;
  let failed = 0;
  await Promise.all(
    nodes.map(async (node, index) => {
      try {
        const response = await work.client.request(node, {
          method: 'DELETE',
          path: `/${node.device}/${partition}${quotePath(path)}`,
          headers: headersFor(index),
          connectTimeoutMs: work.options.connTimeoutMs,
          timeoutMs: work.options.nodeTimeoutMs,
        });
        await internalText(response);
        // What is not there need not be deleted.
        if ((response.status >= 200 && response.status < 300) || response.status === 404) done++;
        else failed++;
      } catch (error) {
        failed++;
        work.log.error('a storage node failed', {
          node: `${node.ip}:${node.port}/${node.device}`,
          path,
          error,
        });
      }
    }),
  );
  return { done, failed };
}

async function reapContainer(
  work: Work,
  account: string,
  accountPartition: number,
  accountNodes: readonly RingDevice[],
  container: string,
  atOnce: number,
  stamp: () => string,
  counts: Counts,
  signal: AbortSignal,
): Promise<void> {
  const { rings, pathHash, options } = work;
  const partition = rings.container.partition(pathHash.prefix(account, container));
  const nodes = rings.container.nodes(partition);
  const path = `/${account}/${container}`;
  for (let marker = ''; !signal.aborted; ) {
    const node = must(nodes[nodes.length - 1], 'nodes is not empty');
    const response = await work.client.request(node, {
      method: 'GET',
      path: `/${node.device}/${partition}${quotePath(path)}?format=json&limit=${LIST_AT_ONCE}&marker=${encodeURIComponent(marker)}`,
      headers: [['Content-Type', 'text/plain']],
      connectTimeoutMs: options.connTimeoutMs,
      timeoutMs: options.nodeTimeoutMs,
    });
    const text = await internalText(response);
    if (response.status !== 200) break;
    const objects = JSON.parse(text.toString('utf8')) as { name: string }[];
    if (!objects.length) break;
    await eachOf(objects, atOnce, signal, async ({ name }) => {
      const part = rings.object.partition(pathHash.prefix(account, container, name));
      const { done, failed } = await deleteOnAll(
        work,
        rings.object.nodes(part),
        part,
        `${path}/${name}`,
        index => {
          const told = must(nodes[index % nodes.length], 'index % nodes.length is in nodes');
          return [
            ['X-Timestamp', stamp()],
            ['X-Container-Host', `${told.ip}:${told.port}`],
            ['X-Container-Partition', String(partition)],
            ['X-Container-Device', told.device],
          ];
        },
      );
      if (done > failed) counts.objectsDeleted++;
      else counts.objectsRemaining++;
    });
    marker = must(objects[objects.length - 1], 'objects is not empty').name;
  }
  const { done, failed } = await deleteOnAll(work, nodes, partition, path, index => {
    const told = must(accountNodes[index % accountNodes.length], 'accountNodes has it');
    return [
      ['X-Timestamp', stamp()],
      ['X-Account-Host', `${told.ip}:${told.port}`],
      ['X-Account-Partition', String(accountPartition)],
      ['X-Account-Device', told.device],
      ['X-Account-Override-Deleted', 'yes'],
    ];
  });
  if (done > failed) counts.containersDeleted++;
  else counts.containersRemaining++;
}
