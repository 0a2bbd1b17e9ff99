/** The service catalog: endpoints with templates in their URLs, filled in for one user in one tenant. */

export interface CatalogEndpoint {
  /** Null for one that comes from a template file. */
  id: string | null;
  region: string | null;
  serviceType: string | null;
  serviceName: string;
  publicUrl: string | null;
  internalUrl: string | null;
  adminUrl: string | null;
  /** What else a template file says of it; shown as it is. */
  more?: Readonly<Record<string, string>>;
}

/** Values that templates may use beside tenant_id and user_id: nothing else of the configuration is ever filled in. */
export interface CatalogPorts {
  public_port: string;
  admin_port: string;
  compute_port: string;
}

const NAMES = ['tenant_id', 'user_id', 'public_port', 'admin_port', 'compute_port'];

/** Whether a URL's `$(name)s` and `%(name)s` are all known, and it has no other `%`. */
export const isEndpointTemplate = (url: string): boolean =>
  !url
    .replaceAll('$(', '%(')
    .replace(/%\((\w+)\)s/g, (whole, name: string) => (NAMES.includes(name) ? '' : whole))
    .replaceAll('%%', '')
    .includes('%');

/** Fills a template; names it does not know stay as they are. */
export const fillEndpoint = (url: string, values: Readonly<Record<string, string>>): string =>
  url
    .replaceAll('$(', '%(')
    .replace(/%\((\w+)\)s|%%/g, (whole, name: string | undefined) =>
      name === undefined ? '%' : (values[name] ?? whole),
    );

export interface CatalogEntry {
  name: string;
  type: string | null;
  endpoints: {
    id?: string;
    region: string | null;
    publicURL: string;
    internalURL: string;
    adminURL: string;
    [more: string]: unknown;
  }[];
  endpoints_links: never[];
}

/** `access.serviceCatalog` of keystone v2.0: one entry a service type; of two endpoints in one region the later counts. */
export function buildCatalog(
  endpoints: readonly CatalogEndpoint[],
  ports: CatalogPorts,
  userId: string,
  tenantId: string,
): CatalogEntry[] {
  const values: Record<string, string> = { ...ports, tenant_id: tenantId, user_id: userId };
  const byType = new Map<string | null, CatalogEntry>();
  for (const endpoint of endpoints) {
    const entry = byType.get(endpoint.serviceType) ?? {
      name: '',
      type: endpoint.serviceType,
      endpoints: [],
      endpoints_links: [],
    };
    byType.set(endpoint.serviceType, entry);
    entry.name = endpoint.serviceName;
    const filled = {
      ...Object.fromEntries(
        Object.entries(endpoint.more ?? {}).map(([key, text]) => [key, fillEndpoint(text, values)]),
      ),
      ...(endpoint.id === null ? {} : { id: endpoint.id }),
      region: endpoint.region,
      publicURL: fillEndpoint(endpoint.publicUrl ?? '', values),
      internalURL: fillEndpoint(endpoint.internalUrl ?? '', values),
      adminURL: fillEndpoint(endpoint.adminUrl ?? '', values),
    };
    const same = entry.endpoints.findIndex(item => item.region === endpoint.region);
    if (same < 0) entry.endpoints.push(filled);
    else entry.endpoints[same] = filled;
  }
  return [...byType.values()];
}

/** Reads endpoints that came over the wire; what does not look like one is left out. */
export function readEndpoints(value: unknown): CatalogEndpoint[] {
  if (!Array.isArray(value)) return [];
  return value.filter((item): item is CatalogEndpoint => {
    if (item === null || typeof item !== 'object') return false;
    const {
      id,
      region,
      serviceType,
      serviceName,
      publicUrl,
      internalUrl,
      adminUrl,
      more = {},
    } = item as Record<keyof CatalogEndpoint, unknown>;
    const textOrNull = [id, region, serviceType, publicUrl, internalUrl, adminUrl];
    return (
      [serviceName, ...Object.values((more ?? {}) as Record<string, unknown>)].every(
        part => typeof part === 'string',
      ) && textOrNull.every(part => part === null || typeof part === 'string')
    );
  });
}

/** Joins the lists `GET /OS-KSADM/services` and `GET /endpoints` give; endpoints without a service are left out. */
export function joinEndpoints(
  services: readonly Record<string, unknown>[],
  endpoints: readonly Record<string, unknown>[],
): CatalogEndpoint[] {
  const byId = new Map(services.map(service => [service.id, service]));
  const text = (value: unknown): string | null => (typeof value === 'string' ? value : null);
  return endpoints.flatMap(endpoint => {
    const service = byId.get(endpoint.service_id);
    if (!service) return [];
    return {
      id: String(endpoint.id),
      region: text(endpoint.region),
      serviceType: text(service.type),
      serviceName: text(service.name) ?? '',
      publicUrl: text(endpoint.publicurl),
      internalUrl: text(endpoint.internalurl),
      adminUrl: text(endpoint.adminurl),
    };
  });
}
