import { answer } from '@folsom/swift-http';
import type { Middleware } from './middleware.ts';

/** Answers OK to /healthcheck, whatever the method. */
export const healthcheck: Middleware = app => async request =>
  request.path === '/healthcheck'
    ? answer(200, request, { body: 'OK', contentType: 'text/plain' })
    : app(request);
