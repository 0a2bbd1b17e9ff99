import { startAccountServer } from '@folsom/object-account';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-account-server CONFIG */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-account-server', argv, 6002, ({ conf, app, world }, listen) =>
    startAccountServer({
      ...listen,
      root: app.str('devices', '/srv/node'),
      mountCheck: app.bool('mount_check', true),
      preallocate: app.bool('db_preallocation', false),
      autoCreateAccountPrefix: app.str('auto_create_account_prefix', '') || '.',
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
