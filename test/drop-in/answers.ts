import type { Access } from './access.ts';
import type { Caller } from './rest.ts';

/** What a taken-over cloud is asked before and after. */
const ASKED: Readonly<Record<string, { of(access: Access): Caller; paths(access: Access): string[] }>> = {
  identity: {
    of: ({ keystone }) => keystone,
    paths: ({ demo }) => [
      ...['/tenants', '/users', '/OS-KSADM/roles', '/OS-KSADM/services', '/endpoints'],
      `/tenants/${demo.tenantId}/users`,
    ],
  },
  image: {
    of: ({ demo }) => demo.image,
    paths: () => ['/v1/images/detail', '/v2/images'],
  },
  compute: {
    of: ({ admin }) => admin.compute,
    paths: ({ demo }) => [
      ...['/servers/detail', '/flavors/detail', '/images/detail', '/os-keypairs', '/os-security-groups'],
      ...['/os-floating-ips', '/os-networks', '/os-aggregates', `/os-quota-sets/${demo.tenantId}`],
      '/os-volumes/detail',
    ],
  },
  volume: {
    of: ({ demo }) => demo.volume,
    paths: () => ['/volumes/detail', '/snapshots/detail', '/types'],
  },
  objects: {
    of: ({ demo }) => demo.objects,
    paths: () => ['?format=json', '/kept?format=json', '/kept/object'],
  },
};

/** By service and path: what it answers. */
export async function answersOf(access: Access): Promise<Map<string, unknown>> {
  const found = new Map<string, unknown>();
  for (const [service, { of, paths }] of Object.entries(ASKED))
    for (const path of paths(access)) {
      const { json, bytes } = await of(access)('GET', path);
      found.set(`${service} ${path}`, plain(json ?? bytes.toString()));
    }
  return found;
}

/** When a row was last touched is no data: audits and periodic tasks touch it. */
const TOUCHED = new Set(['updated', 'updated_at', 'progress']);

/** The answer with lists in an order of their own, which no service promises. */
export function plain(value: unknown): unknown {
  if (Array.isArray(value)) {
    const items = value.map(plain);
    return items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));
  }
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([name]) => !TOUCHED.has(name));
  return Object.fromEntries(
    entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, plain(inner)]),
  );
}

/** Where two answers differ, as paths with both values; empty for equal ones. */
export function differences(before: unknown, after: unknown, at = ''): string[] {
  if (JSON.stringify(before) === JSON.stringify(after)) return [];
  const [a, b] = [before, after];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return [`${at}: ${JSON.stringify(a)} became ${JSON.stringify(b)}`];
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  const inner = (of: object, name: string) => (of as Record<string, unknown>)[name];
  return [...names].flatMap(name => differences(inner(a, name), inner(b, name), `${at}/${name}`));
}
