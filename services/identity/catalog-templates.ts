import { readFileSync } from 'node:fs';
import type { CatalogEndpoint } from '@folsom/auth';
import { must } from '@folsom/core';

/** Keys of a template line that a catalog entry has a place for. */
const FIELDS: Readonly<Record<string, 'publicUrl' | 'internalUrl' | 'adminUrl' | 'serviceName'>> = {
  publicURL: 'publicUrl',
  internalURL: 'internalUrl',
  adminURL: 'adminUrl',
  name: 'serviceName',
};

/**
 * The catalog of a template file: lines `catalog.REGION.SERVICE.KEY = VALUE`, where a service's `_` stands for `-`. Every
 * other line is a remark. Throws one sentence that names the file, and the line that makes no sense.
 */
export function readCatalogTemplates(file: string): CatalogEndpoint[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`keystone: the catalog template ${file} cannot be read: ${(error as Error).message}`);
  }
  const found = new Map<string, CatalogEndpoint>();
  for (const [index, line] of text.split('\n').entries()) {
    const [path, value, ...more] = line.trim().split(' = ');
    if (value === undefined || !must(path, 'path is there').startsWith('catalog.')) continue;
    const [, region, service, key] = must(path, 'path is there').split('.');
    if (more.length > 0 || !region || !service || !key) {
      throw new Error(
        `keystone: ${file}, line ${index + 1}: not of the form catalog.REGION.SERVICE.KEY = VALUE`,
      );
    }
    const type = service.replaceAll('_', '-');
    const place = `${region} ${type}`;
    const endpoint: CatalogEndpoint = found.get(place) ?? {
      id: null,
      region,
      serviceType: type,
      serviceName: '',
      publicUrl: null,
      internalUrl: null,
      adminUrl: null,
    };
    found.set(place, endpoint);
    const field = FIELDS[key];
    if (field) endpoint[field] = value;
    else endpoint.more = { ...endpoint.more, [key]: value };
  }
  return [...found.values()];
}
