import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { type RunningService, silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { identityOptions, startIdentity } from '@folsom/identity';
import { imageDeclarations, remoteRegistry, startImageApi, startRegistry } from '@folsom/image';

/** Identity and image on free ports, for suites that speak to them over HTTP. */
export interface ImageCloud {
  ports: { identity: number; identityAdmin: number; api: number; registry: number };
  directory: string;
  stop(): Promise<void>;
}

const portOf = (address: string): number => Number(address.slice(address.lastIndexOf(':') + 1));

/** @param options.remoteRegistry the API asks the registry over HTTP, as Folsom's does, instead of the database */
export async function startImageCloud(
  options: { remoteRegistry?: boolean; image?: Record<string, string | number | boolean> } = {},
): Promise<ImageCloud> {
  const directory = await mkdtemp(join(tmpdir(), 'folsom-image-'));
  const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
  const started: RunningService[] = [];
  const databases: Database[] = [];
  const stop = async () => {
    for (const service of started.reverse()) await service.stop();
    for (const db of databases) await db.close();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const open = async (name: 'keystone' | 'glance') => {
      const db = await openDatabase({ connection: `sqlite:///${join(directory, `${name}.sqlite`)}` });
      databases.push(db);
      await dbSync(db, name);
      return db;
    };
    const identity = await startIdentity({
      config: configFrom([...identityOptions], {
        DEFAULT: { admin_token: 'ADMIN', bind_host: '127.0.0.1' },
        token: { driver: 'keystone.token.backends.sql.Token' },
      }),
      db: await open('keystone'),
      bus: null,
      world,
      ports: { public: 0, admin: 0 },
      bindHost: '127.0.0.1',
    });
    started.push(identity);
    const db = await open('glance');
    await mkdir(join(directory, 'images'));
    const config = configFrom([...imageDeclarations], {
      DEFAULT: {
        filesystem_store_datadir: join(directory, 'images'),
        image_cache_dir: join(directory, 'cache'),
        scrubber_datadir: join(directory, 'scrubber'),
        external_source_networks: '127.0.0.0/8',
        ...options.image,
      },
      paste_deploy: { flavor: 'keystone+cachemanagement' },
    });
    const common = { config, world, validator: identity.validator };
    const listen = { host: '127.0.0.1', port: 0 };
    const registry = await startRegistry({ ...common, db, listen, authUri: 'http://127.0.0.1:35357' });
    started.push(registry);
    const registryPort = portOf(registry.addresses[0]!);
    const api = await startImageApi({
      ...common,
      db,
      listen,
      ...(options.remoteRegistry
        ? { registry: remoteRegistry({ host: '127.0.0.1', port: registryPort, protocol: 'http' }) }
        : {}),
    });
    started.push(api);
    return {
      ports: {
        identity: portOf(identity.addresses[0]),
        identityAdmin: portOf(identity.addresses[1]),
        api: portOf(api.addresses[0]!),
        registry: registryPort,
      },
      directory,
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
