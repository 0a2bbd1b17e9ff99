import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import type { Database, SchemaName } from '@folsom/db';
import type { MetricsRegistry } from '@folsom/http';
import type { LocalBus } from '@folsom/rpc';
import type { Print } from './commands.ts';
import type { Layout, PartName, Ports } from './layout.ts';
import type { Provisioned } from './provision.ts';
import type { Secrets } from './secrets.ts';

/** Says what is being done when it takes long. */
export type Tell = <T>(what: string, work: () => Promise<T>) => Promise<T>;

/** Services whose options stand in a file of their own below `DIR/etc`. */
export type ServiceName = 'keystone' | 'glance' | 'nova';

/** A value given for one start: `--set nova.api_rate_limit=True`. */
export interface Setting {
  service: ServiceName;
  group: string;
  name: string;
  text: string;
}

export interface CloudOptions {
  layout: Layout;
  ports: Ports;
  /** Which parts to start. */
  parts: readonly PartName[];
  hostIp: string;
  secrets: Secrets;
  world: World;
  /** Where the world counts. */
  metrics: MetricsRegistry;
  compute: Provisioned;
  /** CIDR of the guests' network. */
  fixedRange: string;
  /** CIDR of the addresses that guests can be given for a while. */
  floatingRange: string;
  /** Options given for this start alone. */
  settings: readonly Setting[];
  swift: { devices: number; replicas: number };
  tell: Tell;
  print: Print;
}

/** What every part of the cloud is given. */
export interface PartOptions extends CloudOptions {
  bus: LocalBus;
  databases: Record<SchemaName, Database>;
  configs: Readonly<Record<ServiceName, Config>>;
}
