import { expect, it } from 'vitest';
import { bootBody, makeActive, startTestApi, type TestApi } from './test-api.ts';
import { startVolumeApi } from './volume-api.ts';

/** A request that is refused, and with what. */
type Refused = [status: number, method: string, path: string, body?: unknown];

const many = Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`k${at}`, 'v']));

async function expectRefused(test: TestApi, requests: readonly Refused[]): Promise<void> {
  for (const [status, method, path, body] of requests) {
    const answer = await test.call(method, path, { ...(body === undefined ? {} : { body }), admin: true });
    expect([method, path, body, answer.status]).toEqual([method, path, body, status]);
  }
  expect([...test.undeclared]).toEqual([]);
}

it('what the compute API refuses is declared by the operation that refuses it', async () => {
  const test = await startTestApi();
  try {
    const made = await test.call('POST', 'servers', { body: bootBody(), admin: true });
    const id = made.json.server.id as string;
    await makeActive(test, id);
    const action = `servers/${id}/action`;
    const attachments = `servers/${id}/os-volume_attachments`;
    const group = { security_group: { name: 'g', description: 'd' } };
    await test.call('POST', 'os-security-groups', { body: group, admin: true });
    await test.call('POST', 'os-keypairs', { body: { keypair: { name: 'k' } }, admin: true });
    await expectRefused(test, [
      [404, 'GET', 'servers/none'],
      [400, 'GET', 'servers?status=x'],
      [400, 'GET', 'servers?changes-since=x'],
      [400, 'GET', 'servers?marker=x'],
      [400, 'GET', 'servers?name=%5B'],
      [
        400,
        'POST',
        'servers',
        bootBody({ block_device_mapping: [{ volume_id: 'none', device_name: 'vdb' }] }),
      ],
      [
        400,
        'POST',
        'servers',
        bootBody({ block_device_mapping: [{ snapshot_id: 'none', device_name: 'vdb' }] }),
      ],
      [400, 'POST', 'servers', bootBody({ key_name: 'none' })],
      [400, 'POST', 'servers', bootBody({ security_groups: [{ name: 'none' }] })],
      [400, 'POST', 'servers', bootBody({ flavorRef: '99' })],
      [413, 'POST', 'servers', bootBody({ metadata: many })],
      [413, 'POST', 'servers', bootBody({ min_count: 50, max_count: 50 })],
      [409, 'POST', action, { unpause: null }],
      [400, 'POST', action, { resize: { flavorRef: '1' } }],
      [409, 'POST', action, { confirmResize: null }],
      [404, 'POST', action, { addSecurityGroup: { name: 'none' } }],
      [404, 'POST', action, { removeFloatingIp: { address: '192.0.2.1' } }],
      [400, 'GET', 'flavors?marker=x'],
      [404, 'GET', 'flavors/none'],
      [404, 'GET', 'images/none'],
      [404, 'GET', 'images/none/metadata'],
      [404, 'GET', 'os-keypairs/none'],
      [409, 'POST', 'os-keypairs', { keypair: { name: 'k' } }],
      [400, 'POST', 'os-keypairs', { keypair: { name: 'l', public_key: 'x' } }],
      [400, 'GET', 'os-security-groups/x'],
      [404, 'GET', 'os-security-groups/999'],
      [400, 'POST', 'os-security-groups', group],
      [404, 'POST', 'os-security-group-rules', { security_group_rule: { parent_group_id: 999, cidr: 'x' } }],
      [404, 'GET', 'os-networks/none'],
      [404, 'GET', 'os-floating-ips/99'],
      [404, 'POST', 'os-floating-ips', {}],
      [404, 'GET', 'os-hypervisors/9'],
      [404, 'GET', 'os-hosts/none'],
      [404, 'GET', 'os-aggregates/9'],
      [400, 'POST', 'os-aggregates', { aggregate: { name: 'a', availability_zone: 'none' } }],
      [404, 'GET', 'os-volumes/none'],
      [404, 'GET', 'os-snapshots/none'],
      [404, 'GET', 'os-volume-types/9'],
      [404, 'GET', `${attachments}/none`],
      [404, 'GET', 'servers/none/os-volume_attachments/none'],
      [404, 'DELETE', 'servers/none/os-volume_attachments/none'],
      [404, 'POST', attachments, { volumeAttachment: { volumeId: 'none', device: '/dev/vdb' } }],
    ]);
  } finally {
    await test.stop();
  }
});

it('and so is what the volume API refuses', async () => {
  const test = await startTestApi({ start: startVolumeApi });
  try {
    await expectRefused(test, [
      [400, 'POST', 'volumes', { volume: { size: 0 } }],
      [404, 'POST', 'volumes', { volume: { size: 1, snapshot_id: 'none' } }],
      [404, 'POST', 'volumes', { volume: { size: 1, volume_type: 'none' } }],
      [413, 'POST', 'volumes', { volume: { size: 1, metadata: many } }],
      [413, 'POST', 'volumes', { volume: { size: 5000 } }],
      [404, 'GET', 'volumes/none'],
      [404, 'DELETE', 'volumes/none'],
      [404, 'GET', 'snapshots/none'],
      [404, 'POST', 'snapshots', { snapshot: { volume_id: 'none' } }],
      [404, 'GET', 'types/9'],
      [404, 'GET', 'types/9/extra_specs'],
      [404, 'POST', 'volumes/none/action', { 'os-reset_status': { status: 'error' } }],
      [404, 'POST', 'volumes/none/action', { 'os-force_delete': {} }],
    ]);
  } finally {
    await test.stop();
  }
});
