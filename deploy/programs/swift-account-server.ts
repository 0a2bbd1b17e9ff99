import { startAccountServer } from '@folsom/object-account';
import { dbServerConf } from '@folsom/swift/db-server';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-account-server CONFIG */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-account-server', argv, 6002, ({ conf, app, world }, listen) =>
    startAccountServer({
      ...listen,
      ...dbServerConf(app),
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
