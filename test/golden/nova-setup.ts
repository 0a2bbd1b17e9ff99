import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { volumesOffTheRecord } from './nova-volumes-setup.ts';
import type { Step } from './replay.ts';

interface Setup {
  first: Step[];
  unordered: string[];
  volatile: string[];
  [name: string]: unknown;
}

const ADMIN = { 'X-Auth-Token': 'ADMIN', 'Content-Type': 'application/json' };
const RAW_TENANT = '1616803c863c404b8b0d9b061f5d9d10';
const ADMIN_USER = '0073807fd0a44f1b86efe03c83d171c2';

/** Lists in the order of a Python dictionary or set. */
const UNORDERED = [
  '(^|\\.)tenant_usages(\\.tenant_usage)?\\[\\]$',
  '(^|\\.)hosts_not_run(\\.item)?\\[\\]$',
  '(^|\\.)host(\\.resource)?\\[\\]$',
];
/** Addresses, which the replayer does not bind: it knows them in JSON's listings of servers only. */
const VOLATILE = ['(^|\\.)private\\[\\d+\\]\\.addr$', '(^|\\.)ip(\\[\\d+\\])?@addr$'];

/** A group and two rules that the recorder made off the record: texts and XML name the numbers of those that follow. */
const groupOffTheRecord = (): Step[] => {
  const path = `/v2/${RAW_TENANT}`;
  const headers = { 'X-Auth-Token': '{{secgroup-create:1:token:.+}}', 'Content-Type': 'application/json' };
  const send = (method: string, at: string, body?: unknown): Step => ({
    request: { port: 8774, method, path: `${path}/${at}`, headers, ...(body ? { body } : {}) },
  });
  // The number it gets here: one less than the next, which is what the recorder got.
  const group = 7;
  const rule = (port: number) => ({
    security_group_rule: { parent_group_id: group, ip_protocol: 'tcp', from_port: port, to_port: port },
  });
  const made = send('POST', 'os-security-groups', {
    security_group: { name: 'setup', description: 'setup' },
  });
  return [
    made,
    send('POST', 'os-security-group-rules', rule(1)),
    send('POST', 'os-security-group-rules', rule(2)),
    send('DELETE', `os-security-groups/${group}`),
  ];
};

/** What the test does when the replayer comes to the scenarios recorded with the default rate limits. */
export const LIMIT_RATES = 'limit-rates';

/** The restart with those limits, who asked raw, and what had used up demo's minute. */
function rateLimitsOffTheRecord(): Record<string, Step[]> {
  const as = (user: string, scenario: string): Step => ({
    login: { user, password: 'secrete', tenant: user },
    token: `{{${scenario}:1:token:.+}}`,
  });
  const refused: Step = {
    request: {
      port: 8774,
      method: 'POST',
      path: '{{overlimit-xml:1:path:.+}}',
      headers: { 'X-Auth-Token': '{{overlimit-xml:1:token:.+}}', 'Content-Type': 'application/json' },
      body: { keypair: {} },
    },
  };
  return {
    'nova-rate-limits': [{ hook: LIMIT_RATES }],
    'limits-default': [as('admin', 'limits-default')],
    'overlimit-xml': [as('demo', 'overlimit-xml'), ...Array.from({ length: 10 }, () => refused)],
  };
}

/**
 * What the recordings of nova began with, in one file for the replayer: the identities and the first images of the image
 * recordings, the tenant that raw requests used, then nova's own first steps.
 */
export function writeNovaSetup(setups: string, file: string): void {
  const read = (name: string) => JSON.parse(readFileSync(join(setups, name), 'utf8')) as Setup;
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
  const setup: Setup = {
    ...nova,
    first: [...identities, ...raw, ...first, ...nova.first],
    before: {
      'secgroup-create': groupOffTheRecord(),
      ...volumesOffTheRecord(),
      ...rateLimitsOffTheRecord(),
    },
    unordered: [...nova.unordered, ...UNORDERED],
    volatile: [...nova.volatile, ...VOLATILE],
  };
  writeFileSync(file, JSON.stringify(setup));
}
