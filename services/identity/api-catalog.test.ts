import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestIdentity, type TestIdentity } from './test-identity.ts';

let cloud: TestIdentity;
beforeAll(async () => {
  cloud = await startTestIdentity();
});
afterAll(async () => {
  await cloud.stop();
  expect([...cloud.undeclared]).toEqual([]);
});

const message = (answer: { json: { error: { message: string } } }) => answer.json.error.message;

describe('catalog', () => {
  it('fills in both kinds of placeholders, one entry a type, regions merged', async () => {
    const { tenantId, userId } = await cloud.person('olga');
    const { id } = (
      await cloud.admin('POST', '/OS-KSADM/services', {
        'OS-KSADM:service': { name: 'nova', type: 'compute' },
      })
    ).json['OS-KSADM:service'];
    const endpoint = (region: string) => ({
      endpoint: {
        region,
        service_id: id,
        publicurl: `http://${region}/$(tenant_id)s`,
        adminurl: `http://${region}/%(user_id)s`,
        internalurl: `http://${region}:$(compute_port)s/100%%`,
      },
    });
    const first = await cloud.admin('POST', '/endpoints', endpoint('r1'));
    await cloud.admin('POST', '/endpoints', endpoint('r2'));
    const token = await cloud.login('olga');
    const { access } = (await cloud.admin('GET', `/tokens/${token}`)).json;
    const compute = access.serviceCatalog.filter((entry: { type: string }) => entry.type === 'compute');
    expect(compute).toHaveLength(1);
    expect(compute[0].endpoints).toHaveLength(2);
    expect(compute[0].endpoints[0]).toEqual({
      id: first.json.endpoint.id,
      region: 'r1',
      publicURL: `http://r1/${tenantId}`,
      adminURL: `http://r1/${userId}`,
      internalURL: 'http://r1:8774/100%',
    });
    const flat = (await cloud.admin('GET', `/tokens/${token}/endpoints`)).json.endpoints;
    expect(flat.filter((item: { type: string }) => item.type === 'compute')).toHaveLength(2);
    expect((await cloud.admin('DELETE', `/OS-KSADM/services/${id}`)).status).toBe(204);
    expect((await cloud.admin('DELETE', `/endpoints/${first.json.endpoint.id}`)).status).toBe(404);
  });

  it('refuses endpoints of unknown services and without one', async () => {
    expect((await cloud.admin('POST', '/endpoints', { endpoint: { region: 'R' } })).status).toBe(400);
    const unknown = await cloud.admin('POST', '/endpoints', {
      endpoint: { region: 'R', service_id: 'nope' },
    });
    expect([unknown.status, message(unknown)]).toEqual([404, 'Could not find service: nope']);
  });
});

describe('other extensions', () => {
  it('lists OS-KSADM on the admin port only', async () => {
    expect((await cloud.admin('GET', '/extensions')).json.extensions.values[0].alias).toBe('OS-KSADM');
    expect((await cloud.public('GET', '/extensions')).json.extensions.values).toEqual([]);
    expect(message(await cloud.public('GET', '/extensions/nope'))).toBe('Could not find: nope');
  });

  it('counts requests', async () => {
    const stats = (await cloud.admin('GET', '/OS-STATS/stats')).json['OS-STATS:stats'];
    expect(stats.map((item: { api: string }) => item.api)).toEqual(['admin', 'public']);
    expect(stats[0].extra.method.GET).toBeGreaterThan(0);
    expect((await cloud.admin('DELETE', '/OS-STATS/stats')).status).toBe(204);
    const [admin] = (await cloud.admin('GET', '/OS-STATS/stats')).json['OS-STATS:stats'];
    expect(admin.extra.method).toEqual({ DELETE: 1 });
  });
});
