import type { OptionValues } from '@folsom/config';
import type { Clock, Logger, Random } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { ImageClient } from '@folsom/nova/image-client';
import type { NetworkApi } from '@folsom/nova/network-api';
import type { novaOptions } from '@folsom/nova/options';
import type { Outbox } from '@folsom/nova/outbox';
import type { Limits } from '@folsom/nova/quotas';
import type { computeContract } from '@folsom/nova/rpc/compute';
import type { schedulerContract } from '@folsom/nova/rpc/scheduler';
import type { Policy } from '@folsom/policy';
import type { Bus } from '@folsom/rpc';
import type { Registrar } from './bundles/registrar.ts';
import type { BundleStore } from './bundles/store.ts';

export type NovaConfig = OptionValues<(typeof novaOptions)['options']>;

/** Everything a domain function may need, made once at the start. Fronts never see it. */
export interface Deps {
  config: NovaConfig;
  db: Database;
  clock: Clock;
  random: Random;
  log: Logger;
  policy: Policy;
  bus: Bus;
  /** Writes rows and the messages that speak of them in one transaction. */
  outbox: Outbox;
  compute: ReturnType<(typeof computeContract)['client']>;
  scheduler: ReturnType<(typeof schedulerContract)['client']>;
  network: NetworkApi;
  images: ImageClient;
  /** Images that come as bundles of an S3 store. */
  bundles: { store: BundleStore; registrar: Registrar };
  /** Quotas of nova.conf. */
  quotaDefaults: Limits;
}
