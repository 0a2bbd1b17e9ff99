import { containerServerConf, startContainerServer } from '@folsom/object-container';
import { filtersOf, swiftServer } from '../swift-server.ts';

/** swift-container-server CONFIG */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-container-server', argv, 6001, ({ conf, app, world }, listen) =>
    startContainerServer({
      ...listen,
      ...containerServerConf(app),
      pathHash: world.pathHash,
      world,
      filters: filtersOf(conf),
    }),
  );
