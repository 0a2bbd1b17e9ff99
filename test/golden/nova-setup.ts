import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

type Step = {
  request?: { port: number; method: string; path: string; body?: unknown; headers?: Record<string, string> };
  bind?: Record<string, string>;
  login?: unknown;
  token?: string;
  sleep?: number;
};
interface Setup {
  first: Step[];
  [name: string]: unknown;
}

const ADMIN = { 'X-Auth-Token': 'ADMIN', 'Content-Type': 'application/json' };
const RAW_TENANT = '1616803c863c404b8b0d9b061f5d9d10';
const ADMIN_USER = '0073807fd0a44f1b86efe03c83d171c2';

/**
 * What the recordings of nova began with, in one file for the replayer: the identities and the first images of the image
 * recordings, the tenant that raw requests used, then nova's own first steps.
 */
export function writeNovaSetup(tools: string, file: string): void {
  const read = (name: string) => JSON.parse(readFileSync(join(tools, 'setup', name), 'utf8')) as Setup;
  const images = read('glance-cli.json');
  const nova = read('nova.json');
  const login = images.first.findIndex(step => step.login !== undefined);
  const identities = images.first.slice(0, login + 1);
  const roles = ['KeystoneAdmin', 'KeystoneServiceAdmin', 'admin'];
  const raw: Step[] = [
    {
      request: {
        port: 35357,
        method: 'POST',
        path: '/v2.0/tenants',
        headers: ADMIN,
        body: { tenant: { name: 'rawtenant', description: null, enabled: true } },
      },
      bind: { 'tenant.id': RAW_TENANT },
    },
    ...roles.map(role => ({
      request: {
        port: 35357,
        method: 'PUT',
        path: `/v2.0/tenants/${RAW_TENANT}/users/${ADMIN_USER}/roles/OS-KSADM/setup-role-${role}`,
        headers: ADMIN,
      },
    })),
  ];
  const wanted = new Set(['cirros', 'aki', 'ari', 'ami']);
  const first = images.first
    .slice(login + 1)
    .filter(step => wanted.has(step.request?.headers?.['x-image-meta-name'] ?? ''));
  writeFileSync(file, JSON.stringify({ ...nova, first: [...identities, ...raw, ...first, ...nova.first] }));
}
