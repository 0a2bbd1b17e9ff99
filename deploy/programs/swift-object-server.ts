import { objectServerOptions, startObjectServer } from '@folsom/object-server';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-object-server CONFIG: serves the objects of this host's devices. */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-object-server', argv, 6000, ({ conf, app, world }, listen) =>
    startObjectServer({
      ...listen,
      options: objectServerOptions(app),
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
