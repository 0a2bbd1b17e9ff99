import { type Config, showOrigin } from '@folsom/config';
import type { RunningService } from '@folsom/core';
import { type Database, DatabaseError, dbSync, openDatabase, type SchemaName } from '@folsom/db';
import { createLocalBus } from '@folsom/rpc';
import { bootstrap, catalogServices } from './bootstrap.ts';
import { startIdentityPart } from './identity-part.ts';
import type { PartName } from './layout.ts';
import type { CloudOptions, PartOptions, ServiceName } from './part.ts';
import { CannotStart } from './preflight.ts';
import {
  checkSettings,
  readServiceConf,
  SERVICE_CONFS,
  withoutEffect,
  writeServiceConfs,
} from './service-conf.ts';

export interface Cloud {
  /** In the order in which they were started. */
  services: readonly RunningService[];
  endpoints: readonly { name: string; url: string }[];
  /** Stops the services, front ends first, and closes the databases. */
  stop(): Promise<void>;
}

/** How long one request of the first start's set-up may take. */
const BOOTSTRAP_TIMEOUT_MS = 30_000;

/** Starts every service in this process on SQLite and the in-process bus. Everything is undone when one cannot start. */
export async function startCloud(options: CloudOptions): Promise<Cloud> {
  const { layout, hostIp, ports, world, tell } = options;
  const services: RunningService[] = [];
  checkSettings(options, options.settings);
  await writeServiceConfs(options);
  const configs = readConfigs(options);
  const databases = await tell('opening the databases', () => openDatabases(options));
  const bus = createLocalBus(world);
  const stop = async () => {
    // Front ends first, so that nothing asks a service that is gone.
    for (const service of services.toReversed()) await service.stop();
    await bus.close();
    await Promise.all(Object.values(databases).map(database => database.close()));
  };
  const parts: PartOptions = { ...options, bus, databases, configs };
  try {
    const identity = await tell('starting identity', () => startIdentityPart(parts));
    services.push(identity);
    const bootstrapOptions = {
      adminUrl: `http://${hostIp}:${ports.identityAdmin}/v2.0`,
      secrets: options.secrets,
      hostIp,
      ports,
      parts: options.parts,
      timeoutMs: BOOTSTRAP_TIMEOUT_MS,
    };
    await tell('creating tenants, users and the catalog', () => bootstrap(bootstrapOptions, layout));
    const { validator } = identity;
    const wanted = (part: PartName) => options.parts.includes(part);
    // Each part is loaded when it is wanted: what does not run takes no memory.
    if (wanted('image')) {
      const { startImagePart } = await import('./image-part.ts');
      services.push(await tell('starting image', () => startImagePart(parts, validator)));
    }
    if (wanted('object')) {
      const { startObjectPart } = await import('./object-part.ts');
      services.push(await tell('starting object storage', () => startObjectPart(parts, validator)));
    }
    if (wanted('compute')) {
      const { ensureGuestImage } = await import('./guest-image-part.ts');
      const { startComputePart } = await import('./compute-part.ts');
      await ensureGuestImage(parts);
      await startComputePart(parts, identity, service => services.push(service));
    }
    if (wanted('console')) {
      const { startConsolePart } = await import('./console-part.ts');
      services.push(await tell('starting the web console', () => startConsolePart(parts)));
    }
  } catch (error) {
    await stop().catch(stopError => world.log.error('stopping failed', { error: stopError }));
    throw error;
  }
  const endpoints = catalogServices(hostIp, ports, options.parts).map(({ name, url }) => ({ name, url }));
  return { services, endpoints, stop };
}

/** Everything is read before anything starts, so that a wrong value stops nothing half-way. */
function readConfigs({ layout, settings, world, print }: CloudOptions): Record<ServiceName, Config> {
  const read = ({ name }: { name: ServiceName }) => {
    const config = readServiceConf(layout, name, settings, world.log);
    for (const line of withoutEffect(layout, name, config)) print(line);
    for (const { group, name: option, origin } of config.unknown) {
      const label = group === 'DEFAULT' ? option : `[${group}] ${option}`;
      print(`${showOrigin(origin)}: there is no option ${label}`);
    }
    return [name, config] as const;
  };
  return Object.fromEntries(SERVICE_CONFS.map(read)) as Record<ServiceName, Config>;
}

async function openDatabases({ layout, world }: CloudOptions): Promise<Record<SchemaName, Database>> {
  const names = ['keystone', 'glance', 'nova'] as const;
  const opened = await Promise.allSettled(
    names.map(async name => {
      const database = await openDatabase({ connection: `sqlite:///${layout.db(name)}`, name, ...world });
      try {
        await dbSync(database, name);
      } catch (error) {
        await database.close();
        throw error;
      }
      return [name, database] as const;
    }),
  );
  const failed = opened.find(result => result.status === 'rejected');
  if (failed) {
    for (const result of opened) if (result.status === 'fulfilled') await result.value[1].close();
    const reason: unknown = failed.reason;
    throw reason instanceof DatabaseError ? new CannotStart(reason.message) : reason;
  }
  return Object.fromEntries(
    opened.flatMap(result => (result.status === 'fulfilled' ? [result.value] : [])),
  ) as Record<SchemaName, Database>;
}
