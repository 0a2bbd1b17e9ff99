import type { TokenValidator } from '@folsom/auth';
import type { Logger, World } from '@folsom/core';
import type { Cache } from '@folsom/memcache';
import type { ConfSection } from '@folsom/swift';
import type { ProxyApp } from '../request.ts';

/** What a middleware may need besides its section of the conf file. */
export interface Tools {
  world: World;
  log: Logger;
  /** The cache if one is handed in; else the cache middleware makes the one its section asks for. */
  cache: Cache | null;
  /** Checks keystone tokens; null without an identity service. */
  validator: TokenValidator | null;
  swiftDir: string;
  /** Looks up a domain's CNAME; null if it has none. */
  resolveCname: (domain: string) => Promise<{ name: string; ttl: number } | null>;
  /** Called when the proxy stops. */
  onStop: (work: () => void) => void;
}

/** Wraps an application in a middleware configured by its section. */
export type Middleware = (app: ProxyApp, conf: ConfSection, tools: Tools) => ProxyApp;
