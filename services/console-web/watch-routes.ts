import { LOG_LEVELS, type LogLevel, must } from '@folsom/core';
import type { App } from '@folsom/http';
import type { FastifyRequest } from 'fastify';
import { fault } from './faults.ts';
import { isAdmin } from './keystone.ts';
import { bodyOf, json } from './session-routes.ts';
import type { Console, LogQuery } from './shared.ts';

const TEXTS = ['request', 'tenant', 'service', 'text', 'before'] as const;

/** What administrators see of a cloud that the console runs beside: its log and its metrics. */
export function watchRoutes(app: App, web: Console): void {
  const { server } = app;
  const checkAdmin = (request: FastifyRequest) => {
    const { access } = must(web.sessionOf(request), 'the request has a session');
    if (!isAdmin(access)) throw fault('AdminsOnly');
  };

  // What is looked for stands in the body: an address is logged, and would be found.
  server.post('/api/logs', { config: { name: 'search logs' } }, async (request, reply) => {
    checkAdmin(request);
    if (web.logs === null) throw fault('NoSuchService');
    const query = queryOf(request);
    const left = new AbortController();
    reply.raw.once('close', () => left.abort(new Error('the browser went away')));
    return json(reply, await web.logs.search(query, left.signal));
  });

  server.get('/api/metrics', { config: { name: 'metrics' } }, async (request, reply) => {
    checkAdmin(request);
    if (web.metrics === null) throw fault('NoSuchService');
    return json(reply, web.metrics.view());
  });
}

/** A text that is empty asks for nothing. @throws BadRequest */
function queryOf(request: FastifyRequest): LogQuery {
  const { level, ...texts } = bodyOf(request, [...TEXTS, 'level']);
  if (level !== '' && !LOG_LEVELS.includes(level as LogLevel)) throw fault('BadRequest');
  const query: LogQuery = level === '' ? {} : { level: level as LogLevel };
  for (const name of TEXTS) {
    const value = texts[name].trim();
    if (value !== '') query[name] = value;
  }
  return query;
}
