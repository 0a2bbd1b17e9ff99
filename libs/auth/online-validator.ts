import type { Clock } from '@folsom/core';
import type { KeystoneClient } from './keystone-client.ts';
import type { RevocationList } from './revocations.ts';
import { storedTokenKey } from './stored-token.ts';
import type { TokenInfo, TokenValidator } from './token.ts';
import type { TokenCache } from './token-cache.ts';

export interface OnlineOptions {
  client: Pick<KeystoneClient, 'validate'>;
  cache: TokenCache;
  clock: Clock;
  /** Answers are kept this long, as long as revocations are followed. */
  cacheMs: number;
  revocations: RevocationList;
  /** Whether revocations are up to date; while not, answers are hardly kept. */
  followed: () => boolean;
}

/** Without knowledge of revocations an answer is good for this long: they must reach every service within a second. */
const UNFOLLOWED_MS = 1_000;
/** An unknown token stays unknown for a while: nobody can make one that comes true. */
const REFUSED_MS = 5_000;
const REFUSED = 'invalid';

/** Asks the identity service, once for any number of requests with the same token at a time. */
export function onlineValidator(options: OnlineOptions): TokenValidator {
  const { client, cache, clock, revocations } = options;
  const underWay = new Map<string, Promise<TokenInfo | null>>();

  const alive = (info: TokenInfo): boolean => {
    if (info.expiresAt <= clock.now()) return false;
    if (info.issuedAt === undefined) return true;
    return !revocations.isRevoked({
      key: storedTokenKey(info.id),
      userId: info.userId,
      tenantId: info.tenantId,
      roles: info.roles,
      issuedAt: info.issuedAt,
    });
  };

  const ask = async (token: string): Promise<TokenInfo | null> => {
    const info = await client.validate(token);
    if (info === null || !alive(info)) {
      await cache.set(token, REFUSED, REFUSED_MS);
      return null;
    }
    const keepMs =
      info.issuedAt !== undefined && options.followed()
        ? options.cacheMs
        : Math.min(options.cacheMs, UNFOLLOWED_MS);
    const { id: _secret, ...rest } = info;
    const ttlMs = Math.min(keepMs, info.expiresAt - clock.now());
    if (ttlMs > 0) await cache.set(token, JSON.stringify({ ...rest, keptAt: clock.now() }), ttlMs);
    return info;
  };

  return {
    validate: async token => {
      const kept = await cache.get(token);
      if (kept === REFUSED) return null;
      if (kept !== null) {
        const info = readKept(token, kept);
        const good = info && (options.followed() || clock.now() - info.keptAt < UNFOLLOWED_MS);
        if (info && good) return alive(info.token) ? info.token : null;
      }
      const running = underWay.get(token);
      if (running) return running;
      const asking = ask(token).finally(() => underWay.delete(token));
      underWay.set(token, asking);
      return asking;
    },
  };
}

function readKept(id: string, text: string): { token: TokenInfo; keptAt: number } | null {
  try {
    const { keptAt, ...rest } = JSON.parse(text) as Omit<TokenInfo, 'id'> & { keptAt: number };
    if (typeof rest.userId !== 'string' || !Array.isArray(rest.roles)) return null;
    return { token: { ...rest, id }, keptAt };
  } catch {
    return null;
  }
}
