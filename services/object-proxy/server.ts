import { resolveCname as dnsCname } from 'node:dns/promises';
import { join } from 'node:path';
import type { TokenValidator } from '@folsom/auth';
import type { RunningService, World } from '@folsom/core';
import type { Cache } from '@folsom/memcache';
import type { Ring } from '@folsom/ring';
import { type PathHash, type SwiftConf, stamps } from '@folsom/swift';
import {
  createHttpServer,
  createInternalClient,
  type ListenOptions,
  type LocalServers,
  listenOptions,
} from '@folsom/swift-http';
import { proxyApp } from './app.ts';
import { contentTypes } from './content-types.ts';
import { nodeErrors, type ProxyCore, type ServerKind } from './nodes.ts';
import { proxyOptions } from './options.ts';
import { buildPipeline, readPipeline } from './pipeline.ts';
import { proxyRequest } from './request.ts';

export interface ProxyServerOptions extends ListenOptions {
  /** proxy-server.conf: `[pipeline:main]`, `[app:…]` and `[filter:…]` sections as the original has them. */
  conf: SwiftConf;
  rings: Record<ServerKind, Ring>;
  pathHash: PathHash;
  world: World;
  host: string;
  port: number;
  /** Where memcache.conf and mime.types may lie. */
  swiftDir: string;
  /** Checks keystone tokens for `authtoken`. */
  validator?: TokenValidator | null;
  /** A cache to use instead of the configured one. */
  cache?: Cache;
  /** Storage servers of this process, which are called without connections. */
  local?: LocalServers;
  resolveCname?: (domain: string) => Promise<{ name: string; ttl: number } | null>;
  /** For tests: an answer that its operation does not declare. */
  undeclared?: (operation: string, status: number) => void;
}

const CNAME_TTL_SECONDS = 60;

const systemCname = async (domain: string): Promise<{ name: string; ttl: number } | null> => {
  try {
    const [name] = await dnsCname(domain);
    return name === undefined ? null : { name, ttl: CNAME_TTL_SECONDS };
  } catch {
    return null;
  }
};

/** Starts swift's proxy: the one server that clients talk to. */
export async function startProxy(options: ProxyServerOptions): Promise<RunningService> {
  const { conf, world } = options;
  const log = world.log.child({ service: 'swift-proxy-server' });
  const settings = proxyOptions(conf.section(`app:${readPipeline(conf).app}`));
  const client = createInternalClient(world, options.local);
  const core: ProxyCore = {
    world,
    log,
    options: settings,
    rings: options.rings,
    pathHash: options.pathHash,
    client,
    errors: nodeErrors(settings, world),
    each: new Set(),
    stamp: stamps(world),
    guessType: contentTypes(['/etc/mime.types', join(options.swiftDir, 'mime.types')]),
    ...(options.undeclared ? { undeclared: options.undeclared } : {}),
  };
  const stopping: (() => void)[] = [];
  const app = buildPipeline(conf, proxyApp(core), {
    world,
    log,
    cache: options.cache ?? null,
    validator: options.validator ?? null,
    swiftDir: options.swiftDir,
    resolveCname: options.resolveCname ?? systemCname,
    onStop: work => stopping.push(work),
  });
  const server = createHttpServer({
    ...listenOptions(options),
    world: { ...world, log },
    clientTimeoutMs: settings.clientTimeout * 1000,
    handler: http => app(proxyRequest(http, world)),
  });
  const address = await server.listen(options.port, options.host);
  log.info('listening', { address });
  let stopped: Promise<void> | null = null;
  return {
    name: 'swift-proxy-server',
    addresses: [address],
    stop: () => {
      stopped ??= server.close().then(() => {
        client.close();
        for (const work of stopping) work();
      });
      return stopped;
    },
  };
}
