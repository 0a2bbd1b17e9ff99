import type { World } from '@folsom/core';
import type { Door } from '@folsom/outbound';
import type { FastifyRequest } from 'fastify';
import type { Failures } from './failures.ts';
import type { Keystone } from './keystone.ts';
import type { Session, Sessions } from './sessions.ts';

/** One line of a request's way. Times in milliseconds. */
export interface TraceStep {
  /** Since the request's first. */
  at: number;
  took: number | null;
  service: string;
  what: string;
  level: string;
}

/** What the cloud's log says about a request. */
export interface Trace {
  /** The steps of a request that was made for a tenant; for any when null. Empty when there is none. */
  request(requestId: string, tenant: string | null): Promise<TraceStep[]>;
}

/** What the routes of the console share. */
export interface Console {
  world: World;
  door: Door;
  keystone: Keystone;
  sessions: Sessions;
  failures: Failures;
  trace: Trace | null;
  /** The session cookie's name. */
  cookie: string;
  /** Whether the console speaks TLS. */
  secure: boolean;
  authUrl: string;
  region: string | null;
  /** The cookie's value, if it can be one. */
  idOf(request: Pick<FastifyRequest, 'headers'>): string | undefined;
  sessionOf(request: Pick<FastifyRequest, 'headers'>): Session | undefined;
}
