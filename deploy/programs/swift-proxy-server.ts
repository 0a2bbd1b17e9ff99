import { authTokenOptions, authTokenSettings, identityValidator } from '@folsom/auth';
import { configFrom } from '@folsom/config';
import { startProxy } from '@folsom/object-proxy';
import type { SwiftConf } from '@folsom/swift';
import { ringIn, swiftServer } from '../swift-server.ts';

/** The section of the pipeline's keystone filter; null if it has none. */
const authTokenSection = (conf: SwiftConf) =>
  conf.pipeline
    .map(name => conf.section(`filter:${name}`))
    .find(section =>
      section.str('paste.filter_factory', '').endsWith('middleware.auth_token:filter_factory'),
    ) ?? null;

/** swift-proxy-server CONFIG: the server that object storage's clients talk to. */
export const main = (argv: string[]): Promise<number> =>
  swiftServer('swift-proxy-server', argv, 8080, async ({ conf, world }, listen) => {
    const section = authTokenSection(conf);
    const validator = section
      ? await identityValidator({
          settings: authTokenSettings(configFrom([authTokenOptions], {}), section.values),
          world,
        })
      : null;
    const proxy = await startProxy({
      ...listen,
      conf,
      rings: {
        account: ringIn(world, 'account'),
        container: ringIn(world, 'container'),
        object: ringIn(world, 'object'),
      },
      pathHash: world.pathHash,
      world,
      swiftDir: world.swiftDir,
      validator,
    });
    return {
      ...proxy,
      stop: async () => {
        await proxy.stop();
        await validator?.stop();
      },
    };
  });
