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
import { fresh } from './fresh.ts';
import { IDENTITY_LIMITS } from './limits.ts';
import { endpointView, listEndpoints, listServices, serviceView } from './repositories/catalog.ts';

/** The catalog as tokens carry it, kept at hand. */
export interface CatalogState {
  forToken(userId: string, tenantId: string): Promise<CatalogEntry[]>;
  /** Address of the identity service itself: for version documents. Null while the catalog has none. */
  identityUrl(kind: 'public' | 'admin'): Promise<string | null>;
  /** After a change of services or endpoints. */
  invalidate(): void;
}

interface Loaded {
  endpoints: CatalogEndpoint[];
  built: LRUCache<string, CatalogEntry[]>;
}

export function catalogState(db: Database, ports: CatalogPorts, world: World): CatalogState {
  const warned = new Set<string>();
  let last: { text: string; loaded: Loaded } | undefined;

  const state = fresh(
    async (): Promise<Loaded> => {
      const [services, endpoints] = await Promise.all([listServices(db.knex), listEndpoints(db.knex)]);
      const joined = joinEndpoints(services.map(serviceView), endpoints.map(endpointView)).filter(usable);
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

  // New ones are refused when they are made; these came with a database of the original.
  const usable = (endpoint: CatalogEndpoint): boolean => {
    const broken = [endpoint.publicUrl, endpoint.internalUrl, endpoint.adminUrl].find(
      url => url !== null && !isEndpointTemplate(url),
    );
    if (broken === undefined) return true;
    if (!warned.has(endpoint.id)) {
      warned.add(endpoint.id);
      world.log.error('endpoint left out of the catalog: its URL has unknown substitutions', {
        endpoint: endpoint.id,
        url: broken,
      });
    }
    return false;
  };

  return {
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
