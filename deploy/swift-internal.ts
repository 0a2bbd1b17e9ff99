import { join } from 'node:path';
import { proxyApp } from '@folsom/object-proxy/app';
import { contentTypes } from '@folsom/object-proxy/content-types';
import { nodeErrors } from '@folsom/object-proxy/nodes';
import { proxyOptions } from '@folsom/object-proxy/options';
import { buildPipeline, readPipeline } from '@folsom/object-proxy/pipeline';
import { proxyRequest } from '@folsom/object-proxy/request';
import type { InternalSwift } from '@folsom/object-server';
import { openRing } from '@folsom/ring';
import { type SwiftConf, stamps } from '@folsom/swift';
import { createInternalClient, EMPTY_BODY, responseBytes } from '@folsom/swift-http';
import type { SwiftWorld } from './swift-program.ts';

/**
 * The proxy's application without a listener, for daemons that act on behalf of nobody: their conf file names its
 * pipeline. Nothing in it may ask for authorization.
 */
export function internalSwift(conf: SwiftConf, world: SwiftWorld): { swift: InternalSwift; close(): void } {
  const settings = proxyOptions(conf.section(`app:${readPipeline(conf).app}`));
  const client = createInternalClient(world);
  const ring = (kind: string) =>
    openRing({ path: join(world.swiftDir, `${kind}.ring.gz`), clock: world.clock });
  const stopping: (() => void)[] = [client.close];
  const app = buildPipeline(
    conf,
    proxyApp({
      world,
      log: world.log,
      options: settings,
      rings: { account: ring('account'), container: ring('container'), object: ring('object') },
      pathHash: world.pathHash,
      client,
      errors: nodeErrors(settings, world),
      each: new Set(),
      stamp: stamps(world),
      guessType: contentTypes(['/etc/mime.types']),
    }),
    {
      world,
      log: world.log,
      cache: null,
      validator: null,
      swiftDir: world.swiftDir,
      resolveCname: async () => null,
      onStop: work => stopping.push(work),
    },
  );
  return {
    swift: async (method, path, headers = {}) => {
      const request = proxyRequest(
        {
          method,
          target: path,
          version: '1.1',
          headers: new Map([
            ['user-agent', 'Swift Internal Client'],
            ['content-length', '0'],
            ...Object.entries(headers),
          ]),
          body: EMPTY_BODY,
          remoteAddress: '',
        },
        world,
      );
      const response = await app(request);
      return { status: response.status, body: await responseBytes(response) };
    },
    close: () => {
      for (const work of stopping) work();
    },
  };
}
