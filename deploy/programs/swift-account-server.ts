import { dbServerConf } from '@folsom/container-db';
import { startAccountServer } from '@folsom/object-account';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-account-server CONFIG */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-account-server', argv, 6002, ({ conf, app, world }, listen) =>
    startAccountServer({
      ...listen,
      ...dbServerConf(app),
      delayReaping: conf.section('account-reaper').int('delay_reaping', 0),
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
