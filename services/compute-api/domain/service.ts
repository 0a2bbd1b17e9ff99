import { join } from 'node:path';
import type { Config } from '@folsom/config';
import { must, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { type ImageClient, imageClient } from '@folsom/nova/image-client';
import { type ImageClient as ImageTransfer, imageClient as imageTransfer } from '@folsom/nova/image-transfer';
import { networkApi, onlyNovaNetwork } from '@folsom/nova/network-api';
import { novaOptions } from '@folsom/nova/options';
import { novaOutbox, type Outbox } from '@folsom/nova/outbox';
import { defaultLimits } from '@folsom/nova/quotas';
import { computeContract } from '@folsom/nova/rpc/compute';
import { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import { registrationJournal } from './bundles/journal.ts';
import { registrar } from './bundles/registrar.ts';
import { bundleStore } from './bundles/store.ts';
import { type Domain, domainOf } from './index.ts';

export interface DomainOptions {
  /** Must know {@link novaOptions}. */
  config: Config;
  database: Database;
  bus: Bus;
  policy: Policy;
  world: World;
  /** Name of the process for its outbox, another one for each that runs at the same time on a host. */
  owner?: string;
  /** Default: one of its own, started and stopped with the domain. */
  outbox?: Outbox;
  /** Default: the image services of `glance_api_servers`. */
  images?: ImageClient;
  /** How the bytes of images are sent; default: to the same. */
  transfer?: ImageTransfer;
  /** It is the one on its host that registers images: it takes up what a former life had accepted. */
  registersImages?: boolean;
}

/** A domain and what works behind it; any number of front ends may stand above one. */
export interface DomainService {
  domain: Domain;
  /** From here on accepted operations are carried to the daemons. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export function domainService(options: DomainOptions): DomainService {
  const { database, bus, world, policy } = options;
  const config = options.config.of(novaOptions);
  onlyNovaNetwork(config.network_api_class);
  const { owner = `nova-api:${config.host}` } = options;
  const own = options.outbox
    ? undefined
    : novaOutbox({ db: database, bus, world, owner, takesOrphans: true });
  const outbox = must(options.outbox ?? own, 'one is given, or made here');
  const images =
    options.images ?? imageClient({ servers: config.glance_api_servers, clock: world.clock, log: world.log });
  const store = bundleStore(config, world.clock);
  const transfer = options.transfer ?? imageTransfer({ servers: config.glance_api_servers });
  const journal = registrationJournal(join(config.state_path, 'registrations'));
  const { log, clock } = world;
  const bundles = { store, registrar: registrar({ store, images, transfer, bus, log, clock }, journal) };
  const domain = domainOf({
    config,
    db: database,
    ...world,
    policy,
    bus,
    outbox,
    compute: computeContract.client(outbox.bus),
    scheduler: schedulerContract.client(outbox.bus),
    network: networkApi({ bus, db: database, clock: world.clock }),
    images,
    bundles,
    quotaDefaults: defaultLimits(config),
  });
  return {
    domain,
    start: async () => {
      await own?.start();
      if (!options.registersImages) return;
      // Beside serving: the image service may not answer yet.
      bundles.registrar
        .resume()
        .catch(error => world.log.error('registrations cannot be taken up', { error }));
    },
    stop: async () => {
      await bundles.registrar.stop();
      await own?.stop();
    },
  };
}
