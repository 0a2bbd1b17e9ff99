import { readFile, writeFile } from 'node:fs/promises';
import { must } from '@folsom/core';
import { type Layout, PARTS, type PartName, type Ports } from './layout.ts';
import { requestJson } from './request.ts';
import type { Secrets } from './secrets.ts';

/** What the first start puts into keystone; every step looks first, so that it may be repeated after a crash. */
export interface BootstrapOptions {
  /** Admin API, e.g. `http://127.0.0.1:35357/v2.0`. */
  adminUrl: string;
  secrets: Pick<Secrets, 'adminToken' | 'adminPassword' | 'demoPassword' | 'servicePassword'>;
  /** Address in the catalog. */
  hostIp: string;
  ports: Ports;
  /** Parts of the cloud that run, and so stand in the catalog. */
  parts: readonly PartName[];
  /** Types of services that run nowhere, and so do not stand in it. */
  without?: readonly string[];
  /** Milliseconds one request may take. */
  timeoutMs: number;
}

interface Named {
  id: string;
  name: string;
}

const REGION = 'regionOne';

interface CatalogService {
  name: string;
  type: string;
  description: string;
  url: string;
  adminUrl?: string;
}

/** The services of the catalog; `$(tenant_id)s` is filled in by keystone for each token. */
export function catalogServices(hostIp: string, ports: Ports, parts: readonly PartName[]): CatalogService[] {
  const at = (port: number, path = '') => `http://${hostIp}:${port}${path}`;
  const all: (CatalogService & { part: PartName })[] = [
    {
      part: 'identity',
      name: 'keystone',
      type: 'identity',
      description: 'Keystone Identity Service',
      url: at(ports.identityPublic, '/v2.0'),
      adminUrl: at(ports.identityAdmin, '/v2.0'),
    },
    {
      part: 'image',
      name: 'glance',
      type: 'image',
      description: 'Glance Image Service',
      url: at(ports.image),
    },
    {
      part: 'compute',
      name: 'nova',
      type: 'compute',
      description: 'Nova Compute Service',
      url: at(ports.compute, '/v2/$(tenant_id)s'),
    },
    {
      part: 'compute',
      name: 'volume',
      type: 'volume',
      description: 'Nova Volume Service',
      url: at(ports.volume, '/v1/$(tenant_id)s'),
    },
    {
      part: 'compute',
      name: 'ec2',
      type: 'ec2',
      description: 'EC2 Compatibility Layer',
      url: at(ports.ec2, '/services/Cloud'),
      adminUrl: at(ports.ec2, '/services/Admin'),
    },
    {
      part: 'object',
      name: 'swift',
      type: 'object-store',
      description: 'Swift Storage Service',
      url: at(ports.objectProxy, '/v1/AUTH_$(tenant_id)s'),
    },
  ];
  return all.filter(({ part }) => parts.includes(part)).map(({ part: _part, ...service }) => service);
}

/**
 * Creates tenants, roles, users, grants and the catalog where they are missing. What was done is remembered in the state
 * directory together with the addresses, so that a later start has nothing to do.
 */
export async function bootstrap(options: BootstrapOptions, layout: Layout): Promise<void> {
  const key = JSON.stringify({
    version: 4,
    hostIp: options.hostIp,
    ports: options.ports,
    parts: options.parts,
  });
  const done = await readFile(layout.bootstrapped, 'utf8').catch(() => '');
  if (done === key) return;
  await populate(options);
  await writeFile(layout.bootstrapped, key, { mode: 0o600 });
}

/** Creates what is missing, wherever that keystone runs. */
export async function populate(options: BootstrapOptions): Promise<void> {
  const api = client(options);
  await populatePeople(api, options);
  await populateCatalog(api, options);
}

type Api = ReturnType<typeof client>;

/** Tenants, roles, and users with their roles. */
async function populatePeople(api: Api, { secrets }: BootstrapOptions): Promise<void> {
  const tenants: Record<string, string> = {};
  const existing = await api.list<Named>('/tenants', 'tenants');
  for (const [name, description] of [
    ['admin', 'Admin Tenant'],
    ['demo', 'Demo Tenant'],
    ['service', 'Service Tenant'],
  ] as const) {
    tenants[name] = await api.ensure(existing, name, '/tenants', 'tenant', {
      name,
      description,
      enabled: true,
    });
  }

  const roles = await api.list<Named>('/OS-KSADM/roles', 'roles');
  const admin = await api.ensure(roles, 'admin', '/OS-KSADM/roles', 'role', { name: 'admin' });
  const member = await api.ensure(roles, 'Member', '/OS-KSADM/roles', 'role', { name: 'Member' });

  const users = await api.list<Named>('/users', 'users');
  const people = [
    { name: 'admin', password: secrets.adminPassword, tenant: 'admin', role: admin },
    { name: 'demo', password: secrets.demoPassword, tenant: 'demo', role: member },
    ...['nova', 'glance', 'swift'].map(name => ({
      name,
      password: secrets.servicePassword,
      tenant: 'service',
      role: admin,
    })),
  ];
  for (const { name, password, tenant, role } of people) {
    const user = await api.ensure(users, name, '/users', 'user', {
      name,
      password,
      email: `${name}@localhost`,
      tenantId: tenants[tenant],
      enabled: true,
    });
    await api.grant(must(tenants[tenant], 'tenant is in tenants'), user, role);
    if (name === 'admin') await api.grant(must(tenants.demo, 'demo is there'), user, admin);
  }
}

async function populateCatalog(
  api: Api,
  { hostIp, ports, parts, without = [] }: BootstrapOptions,
): Promise<void> {
  const services = await api.list<Named>('/OS-KSADM/services', 'OS-KSADM:services');
  const endpoints = await api.list<{ id: string; service_id: string; publicurl: string; adminurl: string }>(
    '/endpoints',
    'endpoints',
  );
  const wanted = catalogServices(hostIp, ports, parts).filter(({ type }) => !without.includes(type));
  // What an earlier start ran and this one does not leaves the catalog.
  const idle = catalogServices(hostIp, ports, PARTS).filter(
    ({ name }) => !wanted.some(service => service.name === name),
  );
  for (const { id } of services.filter(({ name }) => idle.some(service => service.name === name))) {
    for (const endpoint of endpoints.filter(({ service_id }) => service_id === id))
      await api.request('DELETE', `/endpoints/${endpoint.id}`);
  }
  for (const { url, adminUrl, ...service } of wanted) {
    const id = await api.ensure(services, service.name, '/OS-KSADM/services', 'OS-KSADM:service', service);
    const present = endpoints.filter(endpoint => endpoint.service_id === id);
    const right = (endpoint: (typeof endpoints)[number]) =>
      endpoint.publicurl === url && endpoint.adminurl === (adminUrl ?? url);
    // A start with another address or other ports moves the catalog along.
    for (const stale of present.filter(endpoint => !right(endpoint))) {
      await api.request('DELETE', `/endpoints/${stale.id}`);
    }
    if (present.some(right)) continue;
    await api.request('POST', '/endpoints', {
      endpoint: {
        region: REGION,
        service_id: id,
        publicurl: url,
        internalurl: url,
        adminurl: adminUrl ?? url,
      },
    });
  }
}

function client({ adminUrl, secrets, timeoutMs }: BootstrapOptions) {
  const request = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
    const answer = await requestJson(
      adminUrl + path,
      {
        method,
        headers: { 'x-auth-token': secrets.adminToken },
        timeoutMs,
        ...(body === undefined ? {} : { body }),
      },
      [409],
    );
    return answer as Record<string, unknown>;
  };
  return {
    request,
    list: async <T>(path: string, key: string): Promise<T[]> => (await request('GET', path))[key] as T[],
    /** The id of what is there by that name, else of what is created. */
    ensure: async (
      there: readonly Named[],
      name: string,
      path: string,
      key: string,
      body: object,
    ): Promise<string> => {
      const found = there.find(item => item.name === name);
      if (found) return found.id;
      const made = (await request('POST', path, { [key]: body }))[key] as Named;
      return made.id;
    },
    /** A repeated grant answers 409, which is as good. */
    grant: (tenant: string, user: string, role: string) =>
      request('PUT', `/tenants/${tenant}/users/${user}/roles/OS-KSADM/${role}`),
  };
}
