import { must } from '@folsom/core';
import { answer, parseTarget, quotePath, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import type { ServerFilter } from './recon.ts';
import { type Fields, mayAnswer, missingOf, type StorageOperation } from './storage-operation.ts';
import { invalidDeviceOrPartition, isMounted, splitPath } from './storage-paths.ts';

/** A request that an operation has been found for; its path fits and its device is there. */
export interface StorageRequest<Run> {
  http: ServerRequest;
  operation: StorageOperation<Run>;
  query: string;
  /** What the path names. */
  names: Readonly<Record<string, string | undefined>>;
}

export type StorageRoute<Run> = (http: ServerRequest) => StorageRequest<Run> | ServerResponse;

interface Devices {
  /** The directory whose entries they are. */
  root: string;
  mountCheck: boolean;
}

interface Shape<Run> {
  operation: StorageOperation<Run>;
  names: readonly string[];
  min: number;
  rest: boolean;
}

function shapeOf<Run>(operation: StorageOperation<Run>): Shape<Run> {
  const parts = operation.path.split('/').filter(part => part !== '');
  const last = parts.at(-1) ?? '';
  return {
    operation,
    names: parts.map(part => part.replace(/^:|[?+*]$/g, '')),
    min: parts.length - (/[?*]$/.test(last) ? 1 : 0),
    rest: /[+*]$/.test(last),
  };
}

/** Finds the operation of a request, or says why there is none. A filter that answers comes before all. */
export function storageRoutes<Run>(
  operations: readonly StorageOperation<Run>[],
  { root, mountCheck }: Devices,
  filters: readonly ServerFilter[] = [],
): StorageRoute<Run> {
  const byMethod = Map.groupBy(operations.map(shapeOf<Run>), ({ operation }) => operation.method);
  return http => {
    const { path, query, valid } = parseTarget(http.target);
    if (!valid) return answer(412, http, { body: 'Invalid UTF8' });
    for (const filter of filters) {
      const answered = filter(path, http);
      if (answered) return answered;
    }
    const shapes = byMethod.get(http.method);
    if (!shapes) return answer(405, http);
    const bad = (body: string) => answer(400, http, { body, contentType: 'text/plain' });
    for (const { operation, names: keys, min, rest } of path.includes('\0') ? [] : shapes) {
      const parts = splitPath(path, min, keys.length, rest);
      if (!parts) continue;
      const names = Object.fromEntries(keys.map((key, at) => [key, parts[at]]));
      const { device, partition } = names;
      if (device !== undefined) {
        const wrong = invalidDeviceOrPartition(device, must(partition, 'behind a device is a partition'));
        if (wrong) return bad(wrong);
      }
      const missing = missingOf(operation.headers ?? {}, name => http.headers.get(name));
      if (missing !== null) return bad(missing);
      if (device !== undefined && mountCheck && !isMounted(root, device))
        return answer(507, http, { body: `${device} is not mounted`, contentType: 'text/plain' });
      return { http, operation, query, names };
    }
    return bad(`Invalid path: ${quotePath(path)}`);
  };
}

/** Told of what an operation does and does not declare: a status of its answer, a header that it looks at. */
export type Undeclared = (operation: string, what: string) => void;

/** Runs the operations; `failed` makes the answer of one that throws. */
export const storageHandler =
  <Run>(
    route: StorageRoute<Run>,
    run: (request: StorageRequest<Run>) => ServerResponse | Promise<ServerResponse>,
    failed: (error: unknown, http: ServerRequest) => ServerResponse,
    undeclared?: Undeclared,
  ) =>
  async (http: ServerRequest): Promise<ServerResponse> => {
    let operation: StorageOperation<Run> | null = null;
    let response: ServerResponse;
    try {
      const routed = route(http);
      if ('status' in routed) return routed;
      operation = routed.operation;
      response = await run(undeclared ? watched(routed, undeclared) : routed);
    } catch (error) {
      response = failed(error, http);
    }
    if (operation && undeclared && !mayAnswer(operation, response.status))
      undeclared(operation.name, String(response.status));
    return response;
  };

/** Those of HTTP itself (`accept` decides the form of a refusal), and the number that a request has in all logs. */
const OF_ALL = new Set([
  'accept',
  'content-length',
  'transfer-encoding',
  'connection',
  'expect',
  'host',
  'x-trans-id',
]);

function watched<Run>(request: StorageRequest<Run>, undeclared: Undeclared): StorageRequest<Run> {
  const { http, operation } = request;
  const { name, headers = {} } = operation;
  return {
    ...request,
    http: { ...http, headers: new WatchedHeaders(http.headers, headers, header => undeclared(name, header)) },
  };
}

class WatchedHeaders extends Map<string, string> {
  readonly #declared: Fields;
  readonly #tell: (name: string) => void;

  constructor(headers: ReadonlyMap<string, string>, declared: Fields, tell: (name: string) => void) {
    super(headers);
    this.#declared = declared;
    this.#tell = tell;
  }

  #look(name: string): void {
    if (!OF_ALL.has(name) && !isDeclared(this.#declared, name)) this.#tell(name);
  }

  override get(name: string): string | undefined {
    this.#look(name);
    return super.get(name);
  }

  override has(name: string): boolean {
    this.#look(name);
    return super.has(name);
  }
}

const isDeclared = (fields: Fields, name: string): boolean =>
  Object.hasOwn(fields, name) ||
  Object.keys(fields).some(field => field.endsWith('*') && name.startsWith(field.slice(0, -1)));
