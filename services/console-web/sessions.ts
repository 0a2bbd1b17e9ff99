import { createHash } from 'node:crypto';
import type { World } from '@folsom/core';
import { must } from '@folsom/core';
import type { Access, Project } from './keystone.ts';
import { CONSOLE_WEB_LIMITS } from './limits.ts';

/** What a person chose for the page. */
export interface Preferences {
  theme: 'auto' | 'light' | 'dark';
  language: 'auto' | 'en' | 'zh';
}

/** One login. It lives in this process alone; the browser holds nothing but its id. */
export interface Session {
  /** Sent back with every request that changes something. */
  csrf: string;
  access: Access;
  projects: readonly Project[];
  preferences: Preferences;
  /** Monotonic milliseconds. */
  began: number;
  used: number;
  /** Aborted when the session ends: what runs for it ends, too. */
  ended: AbortController;
}

export interface Sessions {
  /** The id goes to the browser and is kept nowhere here. */
  create(start: { access: Access; projects: readonly Project[] }): { id: string; session: Session };
  /** `background` asks without counting as a sign of life. */
  find(id: string | undefined, background?: boolean): Session | undefined;
  end(id: string): void;
  /** Ends those that are over, with what runs for them: an open screen asks for nothing by itself. */
  sweep(): void;
  endAll(): void;
  size(): number;
}

export function sessions(
  world: Pick<World, 'clock' | 'random'>,
  lifetime: { idleMs: number; totalMs: number },
): Sessions {
  const { clock, random } = world;
  // By the hash of the id, least recently used first: a look at the memory or a dump gives no login away.
  const live = new Map<string, Session>();
  const keyOf = (id: string) => createHash('sha256').update(id).digest('base64');
  const remove = (key: string) => {
    live.get(key)?.ended.abort(new Error('the session ended'));
    live.delete(key);
  };
  const over = (session: Session) =>
    clock.monotonic() - session.used > lifetime.idleMs ||
    clock.monotonic() - session.began > lifetime.totalMs ||
    clock.now() >= session.access.expires;

  const sweep = () => {
    for (const [key, session] of live) if (over(session)) remove(key);
  };
  const makeRoom = (userId: string) => {
    sweep();
    const own = [...live].filter(([, session]) => session.access.user.id === userId);
    const surplus = own.length + 1 - CONSOLE_WEB_LIMITS.sessionsOfUserMax;
    for (const [key] of own.slice(0, Math.max(0, surplus))) remove(key);
    while (live.size >= CONSOLE_WEB_LIMITS.sessionsMax)
      remove(must(live.keys().next().value, 'value is there'));
  };

  return {
    create: ({ access, projects }) => {
      makeRoom(access.user.id);
      const id = random.bytes(32).toString('base64url');
      const now = clock.monotonic();
      const session: Session = {
        csrf: random.bytes(24).toString('base64url'),
        access,
        projects,
        preferences: { theme: 'auto', language: 'auto' },
        began: now,
        used: now,
        ended: new AbortController(),
      };
      live.set(keyOf(id), session);
      return { id, session };
    },
    find: (id, background = false) => {
      if (id === undefined) return undefined;
      const key = keyOf(id);
      const session = live.get(key);
      if (session === undefined) return undefined;
      if (over(session)) {
        remove(key);
        return undefined;
      }
      if (!background) {
        session.used = clock.monotonic();
        live.delete(key);
        live.set(key, session);
      }
      return session;
    },
    end: id => remove(keyOf(id)),
    sweep,
    endAll: () => {
      for (const key of [...live.keys()]) remove(key);
    },
    size: () => live.size,
  };
}

/** Under TLS only this host can have set it; the port is in the name since cookies know none. */
export const cookieName = (secure: boolean, port: number): string =>
  `${secure ? '__Host-' : ''}folsom-console-${port}`;

export const sessionCookie = (name: string, id: string, secure: boolean): string =>
  `${name}=${id}; Path=/; HttpOnly; SameSite=Strict${secure ? '; Secure' : ''}`;

export const goneCookie = (name: string, secure: boolean): string =>
  `${sessionCookie(name, '', secure)}; Max-Age=0`;

/** The value of a cookie of ours; undefined for anything that cannot be one. */
export function cookieValue(header: string | undefined, name: string): string | undefined {
  for (const part of header?.split(';') ?? []) {
    const at = part.indexOf('=');
    if (part.slice(0, at).trim() !== name) continue;
    const value = part.slice(at + 1).trim();
    return /^[\w-]{43}$/.test(value) ? value : undefined;
  }
  return undefined;
}
