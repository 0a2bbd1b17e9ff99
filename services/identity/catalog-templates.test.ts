import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keystoneClient } from '@folsom/auth';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { tempDir } from '@folsom/testing';
import { afterAll, afterEach, expect, it } from 'vitest';
import { startTestIdentity, TEST_ADMIN_TOKEN, type TestIdentity } from './test-identity.ts';

const dir = tempDir('catalog-templates');
const file = join(dir.path, 'catalog.templates');
let cloud: TestIdentity | undefined;
afterEach(async () => {
  await cloud?.stop();
  cloud = undefined;
});
afterAll(() => dir.remove());

const start = async (text: string): Promise<TestIdentity> => {
  writeFileSync(file, text);
  cloud = await startTestIdentity({
    settings: {
      catalog: {
        driver: 'keystone.catalog.backends.templated.TemplatedCatalog',
        template_file: file,
      },
    },
  });
  return cloud;
};

const TEMPLATES = `# config for TemplatedCatalog
catalog.RegionOne.identity.publicURL = http://localhost:$(public_port)s/v2.0
catalog.RegionOne.identity.adminURL = http://localhost:$(admin_port)s/v2.0
catalog.RegionOne.identity.internalURL = http://localhost:$(public_port)s/v2.0
catalog.RegionOne.identity.name = Identity Service

catalog.RegionOne.object_store.publicURL = http://localhost:8080/v1/AUTH_$(tenant_id)s
catalog.RegionOne.object_store.adminURL = http://localhost:8080/
catalog.RegionOne.object_store.internalURL = http://localhost:8080/v1/AUTH_$(tenant_id)s
catalog.RegionOne.object_store.enabled = True
catalog.RegionOne.object_store.name = Swift
catalog.RegionTwo.identity.publicURL = http://two:5000/v2.0
catalog.RegionTwo.identity.name = Identity Service
catalog.RegionTwo.broken.publicURL = http://two/$(admin_token)s
`;

it('is what tokens carry, filled in for their tenant', async () => {
  const { person, public: open } = await start(TEMPLATES);
  const { tenantId } = await person('anna');
  const answer = await open('POST', '/tokens', {
    auth: { passwordCredentials: { username: 'anna', password: 'secrete' }, tenantName: 'anna' },
  });
  expect(answer.json.access.serviceCatalog).toEqual([
    {
      name: 'Identity Service',
      type: 'identity',
      endpoints: [
        {
          region: 'RegionOne',
          publicURL: 'http://localhost:0/v2.0',
          adminURL: 'http://localhost:0/v2.0',
          internalURL: 'http://localhost:0/v2.0',
        },
        { region: 'RegionTwo', publicURL: 'http://two:5000/v2.0', adminURL: '', internalURL: '' },
      ],
      endpoints_links: [],
    },
    {
      name: 'Swift',
      type: 'object-store',
      endpoints: [
        {
          region: 'RegionOne',
          enabled: 'True',
          publicURL: `http://localhost:8080/v1/AUTH_${tenantId}`,
          adminURL: 'http://localhost:8080/',
          internalURL: `http://localhost:8080/v1/AUTH_${tenantId}`,
        },
      ],
      endpoints_links: [],
    },
  ]);
  expect((await open('GET', '/')).status).toBe(200);
});

it('is not changed through the API, as with the original', async () => {
  const { admin } = await start(TEMPLATES);
  expect((await admin('GET', '/OS-KSADM/services')).json).toEqual({ 'OS-KSADM:services': [] });
  expect((await admin('GET', '/endpoints')).status).toBe(501);
  const { id } = (await admin('POST', '/OS-KSADM/services', { 'OS-KSADM:service': { name: 'x', type: 'y' } }))
    .json['OS-KSADM:service'];
  const created = await admin('POST', '/endpoints', { endpoint: { service_id: id, publicurl: 'http://x' } });
  expect(created.status).toBe(501);
  expect((await admin('DELETE', '/endpoints/x')).status).toBe(501);
});

it('reaches services that check signed tokens by themselves', async () => {
  const { running } = await start(TEMPLATES);
  const settings = {
    ...{ adminUrl: `http://${running.addresses[1]}`, authUri: '', delayAuthDecision: false },
    ...{ adminToken: TEST_ADMIN_TOKEN, adminUser: null, adminPassword: null, adminTenantName: 'admin' },
    ...{ certfile: null, keyfile: null, cafile: null, insecure: false, signingDir: null },
    ...{ tokenCacheMs: 0, redisUrl: null, cacheSecurity: null },
  };
  const client = keystoneClient(settings, {
    clock: systemClock,
    random: systemRandom,
    log: silentLogger,
  });
  const found = await client.endpoints();
  await client.close();
  expect(found.map(({ serviceType, region, id }) => [serviceType, region, id])).toEqual([
    ['identity', 'RegionOne', null],
    ['object-store', 'RegionOne', null],
    ['identity', 'RegionTwo', null],
  ]);
  expect(found[1]!.more).toEqual({ enabled: 'True' });
});

it('that cannot be read ends the start with one sentence', async () => {
  await expect(start('catalog.RegionOne.identity = x')).rejects.toThrow(/catalog.templates, line 1: not of/);
  await expect(start('#\ncatalog.R.identity.name = a = b')).rejects.toThrow(/line 2/);
  dir.remove();
  await expect(
    startTestIdentity({
      settings: {
        catalog: {
          driver: 'keystone.catalog.backends.templated.TemplatedCatalog',
          template_file: 'nowhere.templates',
        },
      },
    }),
  ).rejects.toThrow('keystone: the catalog template nowhere.templates cannot be read');
});
