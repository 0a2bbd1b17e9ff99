import { startContainerServer } from '@folsom/object-container';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-container-server CONFIG */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-container-server', argv, 6001, ({ conf, app, world }, listen) =>
    startContainerServer({
      ...listen,
      root: app.str('devices', '/srv/node'),
      mountCheck: app.bool('mount_check', true),
      preallocate: app.bool('db_preallocation', false),
      autoCreateAccountPrefix: app.str('auto_create_account_prefix', '') || '.',
      allowVersions: app.bool('allow_versions', false),
      allowedSyncHosts: app.list('allowed_sync_hosts', ['127.0.0.1']),
      connectTimeoutMs: app.float('conn_timeout', 0.5) * 1000,
      nodeTimeoutMs: app.float('node_timeout', 3) * 1000,
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
