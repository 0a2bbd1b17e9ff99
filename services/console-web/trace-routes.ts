import { must } from '@folsom/core';
import type { App } from '@folsom/http';
import { fault } from './faults.ts';
import { isAdmin } from './keystone.ts';
import type { Console } from './shared.ts';

const REQUEST_ID = /^req-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** A request's way through the services: administrators see any, others that of their project. */
export function traceRoutes(app: App, web: Console): void {
  app.server.get('/api/trace/:id', { config: { name: 'trace' } }, async (request, reply) => {
    const { access } = must(web.sessionOf(request), 'the request has a session');
    const { id } = request.params as { id: string };
    if (web.trace === null) throw fault('NoSuchService');
    if (!REQUEST_ID.test(id)) throw fault('BadRequest');
    const steps = await web.trace.request(id, isAdmin(access) ? null : access.project.id);
    return reply
      .header('cache-control', 'no-store')
      .type('application/json')
      .send(Buffer.from(JSON.stringify({ steps })));
  });
}
