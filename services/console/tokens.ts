import type { Clock } from '@folsom/core';
import type { AuthorizeConsoleArgs, ConsoleAccess } from '@folsom/nova/rpc/consoleauth';
import { CONSOLE_LIMITS } from './limits.ts';
import type { TokenStore } from './token-store.ts';

export interface Tokens {
  authorize(access: AuthorizeConsoleArgs): Promise<void>;
  /** What a token opens; undefined when it is unknown or too old. */
  find(token: string): Promise<ConsoleAccess | undefined>;
  /** Uses a token up; false when somebody else has been faster. */
  consume(token: string): Promise<boolean>;
  deleteOfInstance(uuid: string): Promise<void>;
}

/** Console tokens, and which of them belong to an instance. */
export function consoleTokens(store: TokenStore, clock: Clock, ttlS: number): Tokens {
  /** The list of an instance is read and written back: one change at a time. */
  let turn: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const done = turn.then(work);
    turn = done.catch(() => {});
    return done;
  };
  const ofInstance = async (uuid: string): Promise<string[]> => {
    const list: unknown = JSON.parse((await store.get(uuid)) ?? '[]');
    return Array.isArray(list) ? list.filter(token => typeof token === 'string') : [];
  };

  return {
    async authorize(given) {
      const access: ConsoleAccess = {
        token: given.token,
        instance_uuid: given.instance_uuid ?? null,
        console_type: given.console_type,
        host: given.host,
        port: given.port,
        internal_access_path: given.internal_access_path ?? null,
        last_activity_at: clock.now() / 1000,
      };
      const uuid = access.instance_uuid;
      await inTurn(async () => {
        // The instance's list first: a token that is not on it could not be taken back.
        if (uuid !== null) {
          const list = [...(await ofInstance(uuid)), access.token].slice(-CONSOLE_LIMITS.tokensOfInstanceMax);
          await store.set(uuid, JSON.stringify(list), 0);
        }
        await store.set(access.token, JSON.stringify(access), ttlS);
      });
    },

    async find(token) {
      if (token.length > CONSOLE_LIMITS.tokenCharsMax || !/^[\x21-\x7e]+$/.test(token)) return undefined;
      const text = await store.get(token);
      if (text === undefined) return undefined;
      const access = JSON.parse(text) as ConsoleAccess;
      // The lists of instances are in the same store.
      return Array.isArray(access) || access.token !== token ? undefined : access;
    },

    consume: token =>
      inTurn(async () => {
        const there = (await store.get(token)) !== undefined;
        await store.delete(token);
        return there;
      }),

    deleteOfInstance: uuid =>
      inTurn(async () => {
        for (const token of await ofInstance(uuid)) await store.delete(token);
        await store.delete(uuid);
      }),
  };
}
