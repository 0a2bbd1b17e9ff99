import { objectServerOptions, startObjectServer } from '@folsom/object-server';
import { healthcheckFilter, reconFilter, reconOptions, type ServerFilter } from '@folsom/swift/recon';
import { ConfError, type SwiftConf } from '@folsom/swift/swift-conf';
import { runSwiftServer, swiftArgs } from '../swift-program.ts';

/** swift-object-server: serves the objects of this host's devices. */
export async function main(argv: string[]): Promise<number> {
  const args = swiftArgs('swift-object-server', argv, false);
  if (typeof args === 'number') return args;
  const { conf } = args;
  const app = conf.section(`app:${conf.pipeline.at(-1) ?? 'object-server'}`);
  const filters = filtersOf(conf);
  return runSwiftServer(app, world =>
    startObjectServer({
      options: objectServerOptions(app),
      pathHash: world.pathHash,
      host: app.str('bind_ip', '0.0.0.0'),
      port: app.int('bind_port', 6000),
      world,
      filters,
    }),
  );
}

/** The filters of the conf file's pipeline, by what they use. */
function filtersOf(conf: SwiftConf): ServerFilter[] {
  return conf.pipeline.slice(0, -1).map(name => {
    const section = conf.section(`filter:${name}`);
    const use = section.str('use', '');
    if (use === 'egg:swift#healthcheck') return healthcheckFilter;
    if (use === 'egg:swift#recon') return reconFilter(reconOptions(section));
    throw new ConfError(`${conf.path}: [filter:${name}] uses unknown middleware ${use}`);
  });
}
