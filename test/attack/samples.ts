import type { Random } from '@folsom/core';
import type { PortName } from '@folsom/deploy/folsom/layout';
import { readGolden } from '@folsom/testing';
import type { AttackedCloud } from './cloud.ts';

/** Something an application says it does. */
export interface Declared {
  to: PortName;
  method: string;
  /** With `:name` for its parameters. */
  pattern: string;
}

/** A body as a client of 2012 sent it to an operation, and got what it wanted. */
export interface Sample {
  body: string;
  type: string;
}

/** Everything the applications declare, once for each way in. */
export function declared(cloud: AttackedCloud): Declared[] {
  const all: Declared[] = [];
  for (const { to, method, path } of cloud.routes) {
    // The same operations under another name.
    if (/^(compute|volume)$/.test(to) && (/\.(json|xml)$/.test(path) || path.startsWith('/v1.1/'))) continue;
    if (method !== 'OPTIONS') all.push({ to, method, pattern: path });
  }
  for (const { method, url, port } of cloud.operations)
    all.push({
      to: port === 'public' ? 'identityPublic' : 'identityAdmin',
      method: method === 'ANY' ? 'GET' : method,
      pattern: url,
    });
  return all;
}

const PORT_OF_SET: Record<string, (port: number) => PortName[]> = {
  nova: port => (port === 8774 ? ['compute'] : port === 8776 ? ['volume'] : []),
  glance: port => (port === 9292 ? ['image'] : port === 9191 ? ['imageRegistry'] : []),
  keystone: () => ['identityPublic', 'identityAdmin'],
};

const expressionOf = (pattern: string): RegExp =>
  new RegExp(`^${pattern.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replace(/:\w+/g, '[^/?]+')}$`);

/** Fills a pattern: a parameter is named by the segment before it, or by itself. */
export function filled(
  pattern: string,
  ids: Readonly<Record<string, string>>,
  tenant: string,
  random: Random | null,
): string {
  const segments = pattern.split('/');
  return segments
    .map((segment, at) => {
      if (segment === '*') return 'anything';
      return segment.replace(/:(\w+)/, (_whole, name: string) => {
        if (name === 'project_id') return tenant;
        if (name === 'format') return 'json';
        const before = segments[at - 1] ?? '';
        if (name === 'account') return random ? `AUTH_${random.hex(32)}` : ids.account!;
        if (random) return random.int(2) === 0 ? random.uuid() : String(random.int(1_000_000));
        return ids[name] ?? ids[before] ?? (name === 'flavor_id' || before === 'flavors' ? '1' : 'none');
      });
    })
    .join('/');
}

/** The shape of a body: its keys, not its values. */
const shapeOf = (body: string): string =>
  body
    .replace(/"(?:[^"\\]|\\.)*"(?!\s*:)/g, '""')
    .replace(/\d+/g, '0')
    .replace(/>[^<]*</g, '><');

/** What the page of the web console sends. */
const CONSOLE_BODIES: Readonly<Record<string, string>> = {
  'POST /api/session': '{"username": "alice", "password": "guessed"}',
  'PUT /api/session/project': '{"id": "TENANT"}',
  'PUT /api/session/preferences': '{"theme": "dark", "language": "en"}',
  'POST /api/temp-urls': '{"container": "c", "object": "a/b", "method": "GET", "hours": "1"}',
};

/** Recorded bodies for each operation, one of each shape. */
export function samplesOf(operations: readonly Declared[]): Map<Declared, Sample[]> {
  const found = new Map<Declared, Sample[]>();
  const shapes = new Set<string>();
  const expressions = operations.map(operation => ({
    operation,
    expression: expressionOf(operation.pattern),
  }));
  for (const operation of operations) {
    const body = CONSOLE_BODIES[`${operation.method} ${operation.pattern}`];
    if (operation.to === 'consoleWeb' && body) found.set(operation, [{ body, type: 'application/json' }]);
  }
  for (const [set, portsOf] of Object.entries(PORT_OF_SET)) {
    for (const { exchanges } of readGolden(set)) {
      for (const { port, request, response } of exchanges) {
        if (request.body === '' || response.status >= 300 || request.bodyEncoding !== undefined) continue;
        const path = request.path.split('?')[0]!;
        const type = request.headers.find(([name]) => name.toLowerCase() === 'content-type')?.[1] ?? '';
        for (const to of portsOf(port)) {
          // The first is the one that routes match first; a fixed name comes before a parameter.
          const match = expressions
            .filter(
              ({ operation, expression }) =>
                operation.to === to && operation.method === request.method && expression.test(path),
            )
            .sort(
              (a, b) =>
                (a.operation.pattern.match(/:/g) ?? []).length -
                (b.operation.pattern.match(/:/g) ?? []).length,
            )[0];
          if (match === undefined) continue;
          const shape = `${to} ${match.operation.method} ${match.operation.pattern} ${type} ${shapeOf(request.body)}`;
          if (shapes.has(shape)) continue;
          shapes.add(shape);
          const samples = found.get(match.operation);
          const sample = { body: request.body, type };
          if (samples) samples.push(sample);
          else found.set(match.operation, [sample]);
        }
      }
    }
  }
  return found;
}

/** Recorded ids that bodies hold, replaced by those of things that are there. */
export function adapted(body: string, ids: Readonly<Record<string, string>>, image: string): string {
  return body
    .replace(/("(?:imageRef|image_id)":\s*")[^"]*(")/g, `$1${image}$2`)
    .replace(/(imageRef=")[^"]*(")/g, `$1${image}$2`)
    .replace(/("(?:tenant|tenantId|tenant_id|project_id|owner)":\s*")[0-9a-f]{32}(")/g, `$1${ids.tenants}$2`)
    .replace('"TENANT"', JSON.stringify(ids.tenants))
    .replace(/("(?:volume_id|volumeId)":\s*")[^"]*(")/g, `$1${ids.volumes}$2`)
    .replace(/("snapshot_id":\s*")[^"]*(")/g, `$1${ids.snapshots}$2`)
    .replace(/("parent_group_id":\s*"?)\d+/g, `$1${ids['os-security-groups']}`)
    .replace(/("(?:address|addFloatingIp)":\s*")172\.[\d.]+(")/g, '$1198.51.100.97$2');
}
