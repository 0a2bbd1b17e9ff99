import { expect, it } from 'vitest';
import {
  buildCatalog,
  type CatalogEndpoint,
  fillEndpoint,
  isEndpointTemplate,
  joinEndpoints,
} from './catalog.ts';

const ports = { public_port: '5000', admin_port: '35357', compute_port: '8774' };

it('knows which templates can be filled in', () => {
  for (const good of [
    'http://x/',
    'http://x/$(tenant_id)s',
    '%(user_id)s',
    '100%%',
    '$(compute_port)s%(admin_port)s',
  ]) {
    expect(isEndpointTemplate(good)).toBe(true);
  }
  for (const bad of [
    '%',
    '%s',
    '%(tenant_id)',
    '%(tenant_id)d',
    '$(admin_token)s',
    '%(x)s',
    '%%%',
    '$(tenant_id',
  ]) {
    expect([bad, isEndpointTemplate(bad)]).toEqual([bad, false]);
  }
  expect(fillEndpoint('http://x/$(tenant_id)s/%(nokey)s/%%', { tenant_id: 't' })).toBe(
    'http://x/t/%(nokey)s/%',
  );
});

it('merges regions into one entry a type; of two in one region the later counts', () => {
  const endpoint = (id: string, region: string, type: string): CatalogEndpoint => ({
    id,
    region,
    serviceType: type,
    serviceName: `n-${id}`,
    publicUrl: `http://${id}/$(tenant_id)s`,
    internalUrl: null,
    adminUrl: null,
  });
  const catalog = buildCatalog(
    [
      endpoint('1', 'a', 'compute'),
      endpoint('2', 'b', 'compute'),
      endpoint('3', 'a', 'compute'),
      endpoint('4', 'a', 'image'),
    ],
    ports,
    'u',
    't',
  );
  expect(catalog.map(entry => [entry.type, entry.name, entry.endpoints.map(item => item.publicURL)])).toEqual(
    [
      ['compute', 'n-3', ['http://3/t', 'http://2/t']],
      ['image', 'n-4', ['http://4/t']],
    ],
  );
});

it('leaves out endpoints that belong to no service', () => {
  const joined = joinEndpoints(
    [{ id: 's', type: 'image', name: 'glance' }],
    [
      { id: 'e', service_id: 's', region: 'r', publicurl: 'p' },
      { id: 'f', service_id: 'gone', region: 'r' },
    ],
  );
  expect(joined).toMatchObject([
    { id: 'e', serviceType: 'image', serviceName: 'glance', publicUrl: 'p', adminUrl: null },
  ]);
});
