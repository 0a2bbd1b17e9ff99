import { lookup } from 'node:dns/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { isIP, isIPv4 } from 'node:net';
import { Readable } from 'node:stream';
import { isListening, must } from '@folsom/core';
import type { buildConnector, Dispatcher } from 'undici';
import { type AddressRule, isThisMachine } from './addresses.ts';
import { BAD_PORTS } from './ports.ts';
import { OutboundFailed, OutboundRefused } from './refused.ts';

export interface Resolved {
  address: string;
  family: 4 | 6;
}

/** Times in milliseconds. */
export interface DoorLimits {
  /** Looking a name up and connecting, each. */
  connectMs: number;
  /** From the request to the head of its answer. */
  answerMs: number;
  /** Between two pieces of a body. */
  idleMs: number;
  /** The whole exchange, body included; none unless given. */
  totalMs?: number;
  /** Bytes of an answer's body; none unless given. */
  bytesMax?: number;
}

/** Loaded with the first request: most processes never send one. */
const loadUndici = () => import('undici');

const LIMITS: DoorLimits = { connectMs: 10_000, answerMs: 30_000, idleMs: 60_000 };
const REDIRECTS = new Set([301, 302, 307, 308]);
const LOCALHOST = /(^|\.)localhost\.?$/i;
/** Headers of one origin that another must not see. */
const OWN_HEADERS = /^(authorization|cookie|proxy-authorization|x-auth-.*|x-storage-token)$/i;

export interface UserDoorOptions {
  addresses: AddressRule;
  /** Lower case, without the colon; http and https unless given. */
  schemes?: readonly string[];
  /**
   * Hosts that are allowed as targets, lower case, each `host` or `host:port`; any unless given. They do not open addresses.
   * One with its port may be a listener of our own: whoever wrote that down meant it.
   */
  hosts?: readonly string[];
  /** Ports that are allowed; any that is not another protocol's unless given. */
  ports?: readonly number[];
  /** Targets refused besides this process's own listeners, such as the storage nodes of a ring. */
  refused?: () => Iterable<{ ip: string; port: number }>;
  limits?: Partial<DoorLimits>;
  /** An HTTP proxy of the operator's that requests go through; it has to keep rules of its own, since it looks names up itself. */
  proxy?: string | null;
  /** Connections are kept this long for the next request; 0 closes them. */
  keepAliveMs?: number;
  /** For tests. */
  resolve?: (host: string) => Promise<Resolved[]>;
}

export interface DoorRequest {
  method: string;
  headers?: Record<string, string>;
  body?: Readable | Buffer | AsyncIterable<Buffer> | null;
  signal?: AbortSignal;
  /** Redirects followed by GET and HEAD, each target checked like the first; none unless given. */
  redirects?: number;
}

export interface DoorAnswer {
  status: number;
  headers: IncomingHttpHeaders;
  /** To be read to its end or destroyed. */
  body: Readable;
}

export interface Door {
  /** @throws OutboundRefused, OutboundFailed */
  request(url: URL | string, options: DoorRequest): Promise<DoorAnswer>;
  /**
   * Looks at a target before anything is sent. A name that does not resolve passes: that is found out when it is used.
   * @throws OutboundRefused
   */
  check(url: URL | string): Promise<void>;
  /** Ends what is under way, too. */
  close(): Promise<void>;
}

/** What a target is held against; null for an operator's door. */
type Rule = Omit<UserDoorOptions, 'limits' | 'proxy' | 'keepAliveMs'>;

/** The door for targets that users name. */
export const userDoor = (options: UserDoorOptions): Door => door(options, options);

/** The door for targets that only the operator's configuration names: no rule of addresses, the same limits. */
export const operatorDoor = (options: Pick<UserDoorOptions, 'limits' | 'proxy' | 'keepAliveMs'> = {}): Door =>
  door(null, options);

function door(rule: Rule | null, options: Pick<UserDoorOptions, 'limits' | 'proxy' | 'keepAliveMs'>): Door {
  const limits: DoorLimits = { ...LIMITS, ...options.limits };
  let dispatcher: Promise<Dispatcher> | null = null;
  const ready = () => {
    dispatcher ??= dispatcherOf(rule, limits, options);
    return dispatcher;
  };
  const inspect = async (url: URL, named: boolean): Promise<void> => {
    if (rule === null) return;
    checkUrl(rule, url);
    if (!named) return;
    await addressesOf(rule, hostOf(url), portOf(url), limits).catch(error => {
      if (error instanceof OutboundRefused) throw error;
    });
  };
  return {
    check: async text => inspect(parseUrl(text), true),
    request: async (text, request) => {
      let url = parseUrl(text);
      let headers = request.headers ?? {};
      const signal = signalOf(request.signal, limits.totalMs);
      for (let hops = request.redirects ?? 0; ; hops--) {
        // A proxy of the operator's connects for us, so the addresses are looked at here.
        await inspect(url, typeof options.proxy === 'string');
        const answer = await exchange(url, { ...request, headers }, await ready(), limits, signal);
        const next = answer.headers.location;
        const repeatable = request.method === 'GET' || request.method === 'HEAD';
        if (!request.redirects || !REDIRECTS.has(answer.status) || next === undefined || !repeatable)
          return answer;
        await drop(answer.body);
        if (hops <= 0) throw new OutboundRefused('redirects');
        const target = parseUrl(next, url);
        if (target.origin !== url.origin) headers = withoutOwn(headers);
        url = target;
      }
    },
    close: async () => (await dispatcher)?.destroy(),
  };
}

async function exchange(
  url: URL,
  request: DoorRequest,
  dispatcher: Dispatcher,
  limits: DoorLimits,
  signal: AbortSignal | undefined,
): Promise<DoorAnswer> {
  const source = bodyOf(request.body);
  const headers = { ...request.headers };
  if (url.username !== '' && !('authorization' in headers)) {
    const pair = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(pair).toString('base64')}`;
  }
  const { request: send } = await loadUndici();
  const target = new URL(url);
  target.username = '';
  target.password = '';
  target.hash = '';
  try {
    const answer = await send(target, {
      method: request.method as Dispatcher.HttpMethod,
      headers,
      dispatcher,
      body: source.body,
      headersTimeout: limits.answerMs,
      bodyTimeout: limits.idleMs,
      ...(signal ? { signal } : {}),
    });
    // An answer that came before the request was whole cannot be trusted to end once the request broke.
    if (source.body instanceof Readable) source.body.once('error', error => answer.body.destroy(error));
    return { status: answer.statusCode, headers: answer.headers, body: answer.body };
  } catch (error) {
    if (request.signal?.aborted) throw request.signal.reason;
    if (source.failure !== null) throw source.failure.error;
    throw error instanceof OutboundRefused ? error : new OutboundFailed(error);
  }
}

/** What is sent, and what ended it early: its source's failure is the caller's own, not the target's. */
function bodyOf(given: DoorRequest['body']): {
  body: Readable | Buffer | null;
  failure: { error: unknown } | null;
} {
  if (given === undefined || given === null || Buffer.isBuffer(given))
    return { body: given ?? null, failure: null };
  const body = given instanceof Readable ? given : Readable.from(given);
  const source = { body, failure: null as { error: unknown } | null };
  // A failure of the exchange destroys the body, too, but after it has failed itself.
  body.once('error', error => {
    source.failure ??= body.readableEnded ? null : { error };
  });
  return source;
}

async function dispatcherOf(
  rule: Rule | null,
  limits: DoorLimits,
  options: Pick<UserDoorOptions, 'proxy' | 'keepAliveMs'>,
): Promise<Dispatcher> {
  const { Agent, buildConnector, ProxyAgent } = await loadUndici();
  const common = {
    maxResponseSize: limits.bytesMax ?? -1,
    maxHeaderSize: 64 * 1024,
    // Without pipelining a connection ends with its answer.
    ...(options.keepAliveMs ? { keepAliveTimeout: options.keepAliveMs } : { pipelining: 0 }),
  };
  if (options.proxy)
    return new ProxyAgent({ uri: options.proxy, connectTimeout: limits.connectMs, ...common });
  if (rule === null) return new Agent({ ...common, connect: { timeout: limits.connectMs, allowH2: false } });
  return new Agent({ ...common, connect: checkedConnector(rule, limits, buildConnector) });
}

/**
 * Connects to the addresses that were checked and to no other, so that a name cannot mean something else by then. What the
 * connection leads to in the end is looked at once more.
 */
function checkedConnector(
  rule: Rule,
  limits: DoorLimits,
  connectorOf: typeof buildConnector,
): buildConnector.connector {
  return (options, callback) => {
    const host = options.hostname.replace(/^\[|\]$/g, '');
    const port = Number(options.port) || (options.protocol === 'https:' ? 443 : 80);
    addressesOf(rule, host, port, limits).then(
      addresses => {
        const connect = connectorOf({
          timeout: limits.connectMs,
          allowH2: false,
          autoSelectFamily: true,
          lookup: (_name, { all }, done) => {
            if (all) (done as (error: null, found: Resolved[]) => void)(null, addresses);
            else
              done(
                null,
                must(addresses[0], 'addresses is not empty').address,
                must(addresses[0], 'addresses is not empty').family,
              );
          },
        });
        connect({ ...options, hostname: host }, (...[error, socket]) => {
          if (error !== null || !socket) return callback(error ?? new Error('no connection'), null);
          if (allowed(rule, host, socket.remoteAddress ?? '', port) === null) return callback(null, socket);
          socket.destroy();
          callback(new OutboundRefused('address'), null);
        });
      },
      (error: Error) => callback(error, null),
    );
  };
}

/** Every address of a host, all of them allowed. @throws OutboundRefused when one is not; the resolver's error */
async function addressesOf(rule: Rule, host: string, port: number, limits: DoorLimits): Promise<Resolved[]> {
  // Whatever the resolver makes of such a name, it means this machine (RFC 6761).
  if (LOCALHOST.test(host) && !rule.addresses.allows('127.0.0.1')) throw new OutboundRefused('address');
  const found =
    isIP(host) !== 0
      ? [{ address: host, family: isIPv4(host) ? (4 as const) : (6 as const) }]
      : await inTime((rule.resolve ?? resolveName)(host), limits.connectMs);
  if (found.length === 0) throw new OutboundRefused('address');
  for (const { address } of found) {
    const reason = allowed(rule, host, address, port);
    if (reason !== null) throw new OutboundRefused(reason);
  }
  return found;
}

/** Why an address of a host may not be connected to, or null. */
function allowed(rule: Rule, host: string, address: string, port: number): 'address' | 'listener' | null {
  if (!rule.addresses.allows(address)) return 'address';
  const meant = rule.hosts?.includes(`${host}:${port}`) ?? false;
  if (!meant && isListening(port) && isThisMachine(address)) return 'listener';
  for (const target of rule.refused?.() ?? []) {
    if (
      target.port === port &&
      (target.ip === address || (isThisMachine(target.ip) && isThisMachine(address)))
    )
      return 'listener';
  }
  return null;
}

const resolveName = async (host: string): Promise<Resolved[]> =>
  (await lookup(host, { all: true })).map(({ address, family }) => ({
    address,
    family: family === 6 ? 6 : 4,
  }));

function checkUrl(rule: Rule, url: URL): void {
  if (!(rule.schemes ?? ['http', 'https']).includes(url.protocol.slice(0, -1)))
    throw new OutboundRefused('scheme');
  const port = portOf(url);
  if (rule.ports ? !rule.ports.includes(port) : BAD_PORTS.has(port)) throw new OutboundRefused('port');
  const host = hostOf(url);
  if (rule.hosts && !rule.hosts.some(named => named === host || named === `${host}:${port}`))
    throw new OutboundRefused('address');
}

function parseUrl(text: URL | string, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(text, base);
  } catch {
    throw new OutboundRefused('url');
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new OutboundRefused('scheme');
  if (url.hostname === '') throw new OutboundRefused('url');
  return url;
}

const hostOf = (url: URL): string => url.hostname.replace(/^\[|\]$/g, '');
const portOf = (url: URL): number => Number(url.port) || (url.protocol === 'https:' ? 443 : 80);

const withoutOwn = (headers: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => !OWN_HEADERS.test(name)));

function signalOf(given: AbortSignal | undefined, totalMs: number | undefined): AbortSignal | undefined {
  const signals = [given, totalMs === undefined ? undefined : AbortSignal.timeout(totalMs)];
  const present = signals.filter(signal => signal !== undefined);
  return present.length > 1 ? AbortSignal.any(present) : present[0];
}

/** Ends an answer nobody reads, whatever is still to come of it. */
async function drop(body: Readable): Promise<void> {
  body.on('error', () => {});
  body.destroy();
}

async function inTime<T>(work: Promise<T>, ms: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('the name was not looked up in time')), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
