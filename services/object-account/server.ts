import { AccountDb, type DbServerOptions, startDbServer } from '@folsom/container-db';
import type { RunningService } from '@folsom/core';
import { operations } from './operations.ts';

export interface AccountServerOptions extends DbServerOptions {
  /** How long a deleted account is kept whole, seconds: the reaper's `delay_reaping`. Default 0. */
  delayReaping?: number;
}

/** Starts swift's account server: containers per account, with counts. */
export const startAccountServer = (options: AccountServerOptions): Promise<RunningService> =>
  startDbServer(
    {
      kind: 'account',
      program: 'swift-account-server',
      Kind: AccountDb,
      operations,
      context: {
        clock: options.world.clock,
        autoCreateAccountPrefix: options.autoCreateAccountPrefix,
        delayReaping: options.delayReaping ?? 0,
      },
    },
    options,
  );
