import { must } from '@folsom/core';
import type { App } from '@folsom/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { fault } from './faults.ts';
import { checkSameSite } from './guard.ts';
import { isAdmin } from './keystone.ts';
import { goneCookie, type Preferences, type Session, sessionCookie } from './sessions.ts';
import type { Console } from './shared.ts';

/** Log in, log out, who am I, another project, the page's settings. */
export function sessionRoutes(app: App, web: Console): void {
  const { server } = app;

  server.get('/api/session', { config: { name: 'session', public: true } }, async (request, reply) => {
    const session = web.sessionOf(request);
    return json(reply, session ? shown(session, web) : { user: null });
  });

  server.post('/api/session', { config: { name: 'login', public: true } }, async (request, reply) => {
    checkSameSite(request.headers);
    const { username, password } = bodyOf(request, ['username', 'password']);
    const settle = web.failures.begin(request.ip);
    if (settle === null) throw fault('TooManyFailures', {}, { headers: { 'retry-after': '60' } });
    const start = await web.keystone.login({ username, password }).catch(error => {
      settle((error as Error).name === 'WrongCredentials');
      throw error;
    });
    settle(false);
    // Always a new id: one that somebody else put into this browser becomes nobody's.
    const old = web.idOf(request);
    if (old !== undefined) web.sessions.end(old);
    const { id, session } = web.sessions.create(start);
    request.tenantId = session.access.project.id;
    reply.header('set-cookie', sessionCookie(web.cookie, id, web.secure));
    return json(reply, shown(session, web));
  });

  server.delete('/api/session', { config: { name: 'logout' } }, async (request, reply) => {
    web.sessions.end(must(web.idOf(request), 'the request names one'));
    reply.header('set-cookie', goneCookie(web.cookie, web.secure));
    return json(reply, { user: null });
  });

  server.put('/api/session/project', { config: { name: 'enter project' } }, async (request, reply) => {
    const session = must(web.sessionOf(request), 'the request has a session');
    const { id } = bodyOf(request, ['id']);
    session.projects = await web.keystone.projects(session.access.token);
    if (!session.projects.some(project => project.id === id)) throw fault('NoProject');
    session.access = await web.keystone.enter(session.access.token, id);
    return json(reply, shown(session, web));
  });

  server.put('/api/session/preferences', { config: { name: 'preferences' } }, async (request, reply) => {
    const session = must(web.sessionOf(request), 'the request has a session');
    const { theme, language } = bodyOf(request, ['theme', 'language']);
    if (!THEMES.includes(theme as never) || !LANGUAGES.includes(language as never)) throw fault('BadRequest');
    session.preferences = { theme, language } as Preferences;
    return json(reply, session.preferences);
  });
}

const THEMES: readonly Preferences['theme'][] = ['auto', 'light', 'dark'];
const LANGUAGES: readonly Preferences['language'][] = ['auto', 'en', 'zh'];

/** What the page may know: everything but the token. */
const shown = ({ access, projects, preferences, csrf }: Session, web: Console) => ({
  user: access.user,
  project: access.project,
  projects,
  roles: access.roles,
  admin: isAdmin(access),
  services: Object.keys(access.endpoints),
  objectUrl: access.endpoints['object-store'] ?? null,
  authUrl: web.authUrl,
  region: web.region,
  features: {
    trace: web.trace !== null,
    logs: web.logs !== null && isAdmin(access),
    metrics: web.metrics !== null && isAdmin(access),
  },
  preferences,
  csrf,
});

export const json = (reply: FastifyReply, value: unknown): FastifyReply =>
  reply
    .header('cache-control', 'no-store')
    .type('application/json')
    .send(Buffer.from(JSON.stringify(value)));

/** Texts of a JSON body. */
export function bodyOf<const K extends string>(
  request: FastifyRequest,
  names: readonly K[],
): Record<K, string> {
  // A form of another site can send neither.
  if (!/^application\/json\b/.test(request.headers['content-type'] ?? '')) throw fault('BadRequest');
  let body: unknown;
  try {
    body = JSON.parse((request.body as Buffer).toString('utf8'));
  } catch {
    throw fault('BadRequest');
  }
  const values = body as Record<string, unknown> | null;
  for (const name of names) {
    if (typeof values?.[name] !== 'string' || (values[name] as string).length > TEXT_MAX)
      throw fault('BadRequest');
  }
  return values as Record<K, string>;
}

const TEXT_MAX = 4096;
