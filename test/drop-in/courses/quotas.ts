import { same } from '../rest.ts';
import { course } from './course.ts';

export const quotas = course('quota', () => ({}), {
  show: async ({ demo }) => {
    const { quota_set: set } = (await demo.compute('GET', `/os-quota-sets/${demo.tenantId}`)).json;
    same('it', [set.id, set.cores], [demo.tenantId, 20]);
  },
  change: async ({ admin }) => {
    const path = `/os-quota-sets/${admin.tenantId}`;
    for (const cores of [31, 20]) {
      const body = { quota_set: { tenant_id: admin.tenantId, cores } };
      await admin.compute('PUT', path, { body });
      same('cores', (await admin.compute('GET', path)).json.quota_set.cores, cores);
    }
  },
  limits: async ({ demo }) => {
    const { absolute } = (await demo.compute('GET', '/limits')).json.limits;
    same('of cores', absolute.maxTotalCores, 20);
  },
  'more than there may be': async ({ demo, image }) => {
    const server = { name: 'many', imageRef: image, flavorRef: '1', min_count: 21, max_count: 21 };
    await demo.compute('POST', '/servers', { body: { server }, status: 413 });
  },
});
