import { bootBody, makeActive, startTestApi, type TestApi } from '@folsom/compute-api/testing';
import { type MountedOperation, operationsOf } from '@folsom/http/operation';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/** What bodies must hold to get as far as the look-up of what they are about. */
const BODIES: Record<string, unknown> = {
  UpdateServer: { server: { name: 'mine' } },
  RebootServer: { type: 'HARD' },
  ChangePassword: { adminPass: 'mine' },
  RebuildServer: bootBody().server,
  ResizeServer: { flavorRef: '2' },
  CreateImageOfServer: { name: 'mine' },
  GetVncConsole: { type: 'novnc' },
  GetConsoleOutput: { length: 10 },
  AddFixedIp: { networkId: '1' },
  RemoveFixedIp: { address: '10.0.0.2' },
  AddFloatingIp: { address: '192.0.2.1' },
  RemoveFloatingIp: { address: '192.0.2.1' },
  AddSecurityGroup: { name: 'default' },
  RemoveSecurityGroup: { name: 'default' },
  CreateBackup: { name: 'mine', backup_type: 'daily', rotation: 1 },
  ResetServerState: { state: 'error' },
  LiveMigrateServer: { host: 'x', block_migration: false, disk_over_commit: false },
  AddServerMetadata: { metadata: { a: 'mine' } },
  ReplaceServerMetadata: { metadata: { a: 'mine' } },
  AttachVolume: {
    volumeAttachment: { volumeId: 'aaaaaaaa-0000-4000-8000-000000000001', device: '/dev/vdb' },
  },
  SetServerMetadataItem: { meta: { a: 'mine' } },
};

describe('every declared operation on a server', () => {
  let test: TestApi;
  let server: string;
  let declared: readonly MountedOperation[];

  beforeAll(async () => {
    test = await startTestApi();
    const booted = await test.call('POST', 'servers', { body: bootBody({ metadata: { a: 'theirs' } }) });
    server = booted.json.server.id;
    await makeActive(test, server);
    declared = operationsOf(test.api.app).filter(({ path }) => /^\/servers\/:/.test(path));
  });
  afterAll(() => test.stop());

  const rows = async () =>
    JSON.stringify([
      await test.db.knex('instances').where({ uuid: server }),
      await test.db.knex('instance_metadata').where({ instance_uuid: server }),
      await test.db.knex('security_group_instance_association').where({ instance_uuid: server }),
    ]);

  it("finds nothing of another tenant's, changes nothing and tells nobody", async () => {
    const before = await rows();
    test.messages.length = 0;
    expect(declared.length).toBeGreaterThan(50);
    for (const { method, path, key, name, body: shape } of declared) {
      const target = path
        .slice(1)
        .replace(/:(server_id|id)/, server)
        .replace(':id', 'a');
      const sent = BODIES[name] ?? (method === 'PUT' || method === 'POST' ? {} : undefined);
      const body = key === undefined ? sent : { [key]: sent ?? null };
      const answer = await test.call(method, target, {
        token: 'other',
        ...(method === 'GET' || method === 'DELETE' ? {} : { body }),
      });
      const shown = `${name}: ${answer.status} ${answer.text.slice(0, 200)}`;
      // 422 is how Folsom hid a missing server in some actions; 501 and 400 are the operations that exist for nobody.
      expect([400, 403, 404, 422, 501], shown).toContain(answer.status);
      if (shape === undefined && key === undefined && method === 'GET')
        expect(answer.status, shown).not.toBe(400);
      expect(answer.text, shown).not.toContain('theirs');
    }
    expect(await rows()).toBe(before);
    expect(test.messages.filter(({ args }) => JSON.stringify(args ?? {}).includes(server))).toEqual([]);
  });

  it('has a body here that reaches the look-up', () => {
    const names = declared.filter(({ body }) => body !== undefined).map(({ name }) => name);
    expect(names.filter(name => !(name in BODIES)).toSorted()).toEqual(['RescueServer']);
  });
});
