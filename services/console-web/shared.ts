import type { LogLevel, World } from '@folsom/core';
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

export interface LogQuery {
  request?: string;
  tenant?: string;
  level?: LogLevel;
  service?: string;
  text?: string;
  /** Where an earlier search ended. */
  before?: string;
}

/** A line of the cloud's log. */
export interface LogLine {
  /** ISO 8601. */
  time: string;
  level: string;
  service: string;
  requestId: string | null;
  tenant: string | null;
  what: string;
}

/** The cloud's log. */
export interface Logs {
  /** What is asked for, the latest first, and where a search for earlier lines goes on. */
  search(query: LogQuery, signal: AbortSignal): Promise<{ lines: LogLine[]; before: string | null }>;
}

/** Lines over time: a value for each of the samples, which are the same for all plots; null where there is none. */
export interface Plot {
  name: 'requests' | 'delay' | 'memory' | 'capacity' | 'disk';
  unit: 'perSecond' | 'seconds' | 'bytes' | 'share';
  lines: { name: string; values: (number | null)[] }[];
}

/** A step of boots: how often it was done and failed, and how long it takes on average. */
export interface BootStep {
  step: string;
  done: number;
  failed: number;
  seconds: number | null;
}

export interface MetricsView {
  /** Between two samples. */
  everyMs: number;
  /** Of the last sample, in milliseconds since the epoch. */
  until: number;
  plots: Plot[];
  boots: BootStep[];
}

/** The cloud's own metrics. */
export interface CloudMetrics {
  view(): MetricsView;
}

/** What the console has of a cloud that it runs beside; of others nothing. */
export interface Beside {
  trace: Trace | null;
  logs: Logs | null;
  metrics: CloudMetrics | null;
}

/** What the routes of the console share. */
export interface Console extends Beside {
  world: World;
  door: Door;
  keystone: Keystone;
  sessions: Sessions;
  failures: Failures;
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
