import type { KeyObject } from 'node:crypto';
import { userInfo } from 'node:os';
import type { World } from '@folsom/core';
import type { Bus } from '@folsom/rpc';
import { buildCatalog, type CatalogEndpoint, type CatalogPorts } from './catalog.ts';
import { type KeystoneClient, keystoneClient } from './keystone-client.ts';
import { offlineValidator } from './offline-validator.ts';
import { onlineValidator } from './online-validator.ts';
import type { AuthTokenSettings } from './options.ts';
import { revocationFeed } from './revocation-feed.ts';
import { type RevocationList, revocationList } from './revocations.ts';
import { looksSigned, readPublicKey, signedTokenReader } from './signed-token.ts';
import { checkSigningDir } from './signing-dir.ts';
import type { TokenValidator } from './token.ts';
import { memoryTokenCache, redisTokenCache } from './token-cache.ts';

export interface IdentityValidator extends TokenValidator {
  readonly client: KeystoneClient;
  readonly revocations: RevocationList;
  stop(): Promise<void>;
}

export interface IdentityValidatorOptions {
  settings: AuthTokenSettings;
  world: World;
  /** Brings revocations at once; without it they are asked for. */
  bus?: Bus | null;
  /** Name of this host on the bus. */
  host?: string;
  /** Values of endpoint templates, where they are not the usual ones. */
  ports?: CatalogPorts;
}

/** Keys are fetched at most this often for tokens that name one nobody knows. */
const UNKNOWN_KEY_RETRY_MS = 1_000;
/** A key that was withdrawn is forgotten this soon. */
const KEYS_FRESH_MS = 60_000;
const CATALOG_FRESH_MS = 10_000;
const REDIS_MS = 200;

/**
 * The validator of a service that runs apart from the identity service: signed tokens are checked here, all others (and
 * signed ones while revocations cannot be followed) by asking, with a cache.
 */
export async function identityValidator(options: IdentityValidatorOptions): Promise<IdentityValidator> {
  const { settings, world, bus = null, host = 'localhost' } = options;
  const { clock } = world;
  if (settings.signingDir !== null) checkSigningDir(settings.signingDir, userInfo().uid);
  const ports = options.ports ?? { public_port: '5000', admin_port: '35357', compute_port: '8774' };
  const client = keystoneClient(settings, world);
  const revocations = revocationList(clock);
  const feed = await revocationFeed({ client, list: revocations, bus, host, world });

  let keys = new Map<string, KeyObject>();
  let keysAt = Number.NEGATIVE_INFINITY;
  let fetching: Promise<void> | undefined;
  const fetchKeys = (): Promise<void> => {
    fetching ??= (async () => {
      keysAt = clock.monotonic();
      const found = await client.tokenKeys();
      keys = new Map(Object.entries(found).map(([kid, pem]) => [kid, readPublicKey(pem)]));
    })().finally(() => {
      fetching = undefined;
    });
    return fetching;
  };

  let endpoints: { at: number; list: Promise<CatalogEndpoint[]> } | undefined;
  const catalog = async (userId: string, tenantId: string) => {
    if (!endpoints || clock.monotonic() - endpoints.at > CATALOG_FRESH_MS) {
      const mine = { at: clock.monotonic(), list: client.endpoints() };
      endpoints = mine;
      mine.list.catch(() => {
        if (endpoints === mine) endpoints = undefined;
      });
    }
    return buildCatalog(await endpoints.list, ports, userId, tenantId);
  };

  const reader = signedTokenReader({ publicKey: kid => keys.get(kid) });
  const offline = offlineValidator({ reader, revocations, clock, catalog });
  const cache =
    settings.redisUrl === null
      ? memoryTokenCache()
      : redisTokenCache(await connectRedis(settings.redisUrl, world), settings.cacheSecurity, world.random);
  const online = onlineValidator({
    client,
    cache,
    clock,
    cacheMs: settings.tokenCacheMs,
    revocations,
    followed: feed.followed,
  });

  return {
    client,
    revocations,
    validate: async token => {
      if (!looksSigned(token) || !feed.followed()) return online.validate(token);
      const kid = reader.kidOf(token);
      const unknown = kid !== null && !keys.has(kid);
      const age = clock.monotonic() - keysAt;
      // Requests that come while keys are being fetched wait for them, too.
      const wait = fetching ? unknown : age > KEYS_FRESH_MS || (unknown && age > UNKNOWN_KEY_RETRY_MS);
      if (wait) await fetchKeys();
      return offline.validate(token);
    },
    stop: async () => {
      await feed.stop();
      await cache.close();
      await client.close();
    },
  };
}

/** Loaded on demand: most deployments have no shared cache, and the library is as large as the rest of a service. */
async function connectRedis(url: string, world: World) {
  const { Redis } = await import('ioredis');
  return new Redis(url, {
    commandTimeout: REDIS_MS,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
  }).on('error', error => world.log.warn('the token cache does not answer', { error }));
}
