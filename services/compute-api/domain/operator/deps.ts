import type { Config } from '@folsom/config';
import type { Clock } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { CreateNetworks } from '@folsom/nova/rpc/network';
import type { Message } from '@folsom/rpc';
import type { NovaConfig } from '../deps.ts';

/** What the operator's work is done with: the database and hardly anything else, so that it is done while no service runs. */
export interface OperatorSeam {
  /** Must know nova's options. */
  config: Config;
  clock: Clock;
  /** Opens the database of the configuration; it is closed when the work is done. */
  openDatabase(): Promise<Database>;
  /** Makes networks as the network service does. */
  createNetworks(db: Database, request: CreateNetworks): Promise<unknown>;
  /** Sends one message without waiting for an answer. */
  cast(topic: string, message: Message): Promise<void>;
}

export interface OperatorDeps extends Pick<OperatorSeam, 'clock' | 'createNetworks' | 'cast'> {
  db: Database;
  config: NovaConfig;
}
