import { Fault, isFault, must } from '@folsom/core';
import type { FastifyReply, FastifyRequest, HTTPMethods } from 'fastify';
import type { App } from '../app.ts';
import { partsOf } from './answer.ts';
import type { Front } from './front.ts';
import type { FaultAnswer, Method, Operation } from './operation.ts';
import { type Choice, queryOf, readRequest } from './reading.ts';
import { note } from './registry.ts';
import { type Reader, readerOf } from './shape.ts';
import { isStream, readsAbsence } from './shapes.ts';

type AnyFront = Front<unknown, unknown>;

interface Readers {
  params: Reader | undefined;
  query: Reader | undefined;
  body: Reader | undefined;
}

interface Route {
  method: Method;
  path: string;
  choice: Choice;
  name: string;
  first: Operation;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

/** Serves the declared operations from an application, in the form of the service's front. */
export function mountOperations<Domain, Context>(
  app: App,
  declared: readonly Operation<Domain, Context>[],
  given: Front<Domain, Context>,
): void {
  const front = given as unknown as AnyFront;
  const operations = (declared as readonly Operation[]).filter(
    ({ ports }) => front.port === undefined || ports === undefined || ports.includes(front.port),
  );
  const readers = new Map(operations.map(operation => [operation, readersOf(operation, front)]));
  const methods = new Map<string, Set<string>>();
  for (const route of routesOf(operations)) {
    for (const url of urlsOf(route.path, front)) {
      const config = {
        name: route.name,
        ...(isStream(route.first.body) ? { stream: true } : {}),
        ...(route.first.public ? { public: true } : {}),
      };
      const handler = (request: FastifyRequest, reply: FastifyReply) =>
        serve(route.choice, request, reply, front, readers);
      if (route.method === 'ANY') app.server.all(url, { config }, handler);
      else app.server.route({ method: route.method as HTTPMethods, url, config, handler });
      methods.set(url, (methods.get(url) ?? new Set()).add(route.method));
    }
  }
  refuseOthers(app, methods, front);
  note(app, operations, front);
}

function urlsOf(path: string, { prefixes, spellings }: AnyFront): string[] {
  const paths = spellings?.(path) ?? [path];
  return [...new Set(prefixes.flatMap(prefix => paths.map(spelling => prefix + spelling || '/')))];
}

/** One route for each method and path; operations with keys share theirs. */
function routesOf(operations: readonly Operation[]): Route[] {
  const routes = new Map<string, Route>();
  for (const operation of operations) {
    for (const path of [operation.path, ...(operation.aliases ?? [])]) {
      const { method, key, name } = operation;
      const at = `${method} ${path}`;
      const there = routes.get(at);
      if (key === undefined) {
        if (there) throw new Error(`${name} and ${there.name} are both at ${at}`);
        routes.set(at, { method, path, choice: operation, name, first: operation });
        continue;
      }
      const keys = there ? (there.choice as Map<string, Operation>) : new Map<string, Operation>();
      if (keys.has(key)) throw new Error(`there are two operations with the key ${key} at ${at}`);
      keys.set(key, operation);
      if (!there) routes.set(at, { method, path, choice: keys, name: `${path} action`, first: operation });
    }
  }
  return [...routes.values()];
}

function readersOf(operation: Operation, front: AnyFront): Readers {
  const reader = (place: 'params' | 'query' | 'body') => {
    const shape = operation[place];
    if (shape === undefined || (place === 'body' && isStream(shape))) return undefined;
    return readerOf(shape, place, problem => front.complaints.invalid(problem, operation));
  };
  return { params: reader('params'), query: reader('query'), body: reader('body') };
}

async function serve(
  choice: Choice,
  request: FastifyRequest,
  reply: FastifyReply,
  front: AnyFront,
  readers: ReadonlyMap<Operation, Readers>,
): Promise<FastifyReply> {
  const context = await front.context(request);
  const { operation, body } = readRequest(choice, request, front);
  request.operation = operation.name;
  const read = must(readers.get(operation), 'readers has operation');
  const asked = {
    domain: front.domain,
    context,
    params: front.params?.(request) ?? (request.params as Record<string, string>),
    query: read.query ? queryOf(request, front.repeated ?? 'last') : {},
    body,
  };
  if (front.before) await front.before(asked, operation, request);
  await front.authorize(asked, operation);
  if (read.params) asked.params = read.params.read(asked.params) as never;
  if (read.query) asked.query = read.query.read(asked.query) as never;
  // A shape of the operation's own may have something to say about a body that is not there.
  if (read.body && (body !== undefined || judgesAbsence(operation)))
    asked.body = await bodyFor(operation, read.body, asked, front);
  const parts = partsOf(await translated(operation, front, () => operation.run(asked as never)));
  return front.write(reply, { ...parts, status: parts.status ?? operation.answers }, operation, request);
}

const judgesAbsence = ({ body, bodyRequired }: Operation): boolean =>
  bodyRequired === false && readsAbsence(body);

async function bodyFor(
  operation: Operation,
  reader: Reader,
  asked: { body: unknown },
  front: AnyFront,
): Promise<unknown> {
  try {
    return reader.read(asked.body);
  } catch (error) {
    if (operation.beforeBody)
      await translated(operation, front, () => operation.beforeBody?.(asked as never));
    throw error;
  }
}

/** With the domain's faults as the operation declares them. */
async function translated<T>(operation: Operation, front: AnyFront, work: () => T | Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isFault(error)) throw error;
    const { faults = {}, throws = [] } = operation;
    const how = Object.hasOwn(faults, error.name) ? faults[error.name] : undefined;
    if (how !== undefined) throw answerOf(how, error, front);
    if (!throws.includes(error.name) && !front.throws?.includes(error.name))
      front.undeclared?.(error, operation);
    throw error;
  }
}

function answerOf(how: FaultAnswer, fault: Fault, { complaints }: AnyFront): Fault {
  if (typeof how === 'number') return complaints.fault(how, undefined, fault);
  const [status, text, headers] = how;
  const answer = complaints.fault(status, typeof text === 'function' ? text(fault) : text, fault);
  if (headers === undefined) return answer;
  const { name, message, values, cause } = answer;
  return new Fault(name, status, message, { values, headers: { ...answer.headers, ...headers }, cause });
}

/** Where the service tells 405 from 404, every other method of a declared path is refused by name. */
function refuseOthers(
  app: App,
  methods: ReadonlyMap<string, ReadonlySet<string>>,
  { complaints }: AnyFront,
): void {
  if (!complaints.method) return;
  for (const [url, declared] of methods) {
    if (declared.has('ANY')) continue;
    const allowed = METHODS.filter(method => declared.has(method));
    for (const method of METHODS) {
      if (declared.has(method)) continue;
      app.server.route({
        method,
        url,
        config: { name: 'method not allowed' },
        handler: async () => {
          throw must(complaints.method, 'method is there')(allowed);
        },
      });
    }
  }
}
