import {
  buildCatalog,
  type CatalogEndpoint,
  type CatalogEntry,
  type CatalogPorts,
  fillEndpoint,
  isEndpointTemplate,
  joinEndpoints,
} from '@folsom/auth';
import type { World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { LRUCache } from 'lru-cache';
import { readCatalogTemplates } from './catalog-templates.ts';
import { fresh } from './fresh.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import { endpointView, listEndpoints, listServices, serviceView } from './repositories/catalog.ts';

/** The catalog as tokens carry it, kept at hand. */
export interface CatalogState {
  /** Whether services and endpoints come from a file, and so cannot be changed through the API. */
  readonly fixed: boolean;
  /** What tokens' catalogs are made from. */
  endpoints(): Promise<readonly CatalogEndpoint[]>;
  forToken(userId: string, tenantId: string): Promise<CatalogEntry[]>;
  /** Address of the identity service itself: for version documents. Null while the catalog has none. */
  identityUrl(kind: 'public' | 'admin'): Promise<string | null>;
  /** After a change of services or endpoints. */
  invalidate(): void;
}

/** Where endpoints come from. */
export interface CatalogSource {
  fixed: boolean;
  load(): Promise<CatalogEndpoint[]>;
}

export const databaseCatalog = (db: Database): CatalogSource => ({
  fixed: false,
  load: async () => {
    const [services, endpoints] = await Promise.all([listServices(db.knex), listEndpoints(db.knex)]);
    return joinEndpoints(services.map(serviceView), endpoints.map(endpointView));
  },
});

/** A template file, read once: as with the original, changes count from the next start on. */
export function templateCatalog(file: string): CatalogSource {
  const endpoints = readCatalogTemplates(file);
  return { fixed: true, load: async () => endpoints };
}

interface Loaded {
  endpoints: CatalogEndpoint[];
  built: LRUCache<string, CatalogEntry[]>;
}

export function catalogState(source: CatalogSource, ports: CatalogPorts, world: World): CatalogState {
  const warned = new Set<string>();
  let last: { text: string; loaded: Loaded } | undefined;

  const state = fresh(
    async (): Promise<Loaded> => {
      const joined = (await source.load()).filter(usable);
      // Nothing changed: what was built stays good.
      const text = JSON.stringify(joined);
      if (last?.text === text) return last.loaded;
      const loaded = {
        endpoints: joined,
        built: new LRUCache<string, CatalogEntry[]>({ max: IDENTITY_LIMITS.tenantsCachedMax }),
      };
      last = { text, loaded };
      return loaded;
    },
    IDENTITY_LIMITS.freshMs,
    world.clock,
  );

  // New ones are refused when they are made; these came with a database of the original, or stand in a file.
  const usable = (endpoint: CatalogEndpoint): boolean => {
    const { publicUrl, internalUrl, adminUrl, more = {} } = endpoint;
    const broken = [publicUrl, internalUrl, adminUrl, ...Object.values(more)].find(
      url => url !== null && !isEndpointTemplate(url),
    );
    if (broken === undefined) return true;
    const name = endpoint.id ?? `${endpoint.serviceType} in ${endpoint.region}`;
    if (!warned.has(name)) {
      warned.add(name);
      world.log.error('endpoint left out of the catalog: its URL has unknown substitutions', {
        endpoint: name,
        url: broken,
      });
    }
    return false;
  };

  return {
    fixed: source.fixed,
    endpoints: async () => (await state.get()).endpoints,
    forToken: async (userId, tenantId) => {
      const { endpoints, built } = await state.get();
      const key = `${userId} ${tenantId}`;
      const known = built.get(key);
      if (known) return known;
      const catalog = buildCatalog(endpoints, ports, userId, tenantId);
      built.set(key, catalog);
      return catalog;
    },
    identityUrl: async kind => {
      const { endpoints } = await state.get();
      const own = endpoints.findLast(endpoint => endpoint.serviceType === 'identity');
      if (!own) return null;
      const url = (kind === 'public' ? own.publicUrl : own.adminUrl) ?? '';
      return fillEndpoint(url, { ...ports, tenant_id: 'None', user_id: 'None' });
    },
    invalidate: () => state.invalidate(),
  };
}
