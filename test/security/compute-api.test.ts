import {
  ADMIN,
  bootBody,
  DEMO,
  IMAGE,
  makeActive,
  OTHER,
  startTestApi,
  type TestApi,
} from '@folsom/compute-api/testing';
import { novaFault } from '@folsom/nova/faults';
import { createFlavor } from '@folsom/nova/flavors';
import { eventually } from '@folsom/testing';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';

/** Advisories of nova that concern its API, each by its number in the list of advisories. */
describe('compute API', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi({
      answers: {
        'network.validate_networks': () => {
          throw novaFault('NetworkNotFound', { network_id: 'somebody-elses' });
        },
      },
    });
  });
  afterAll(() => test.stop());
  beforeEach(async () => {
    await test.db.knex('instances').update({ deleted: 1 });
    test.messages.length = 0;
    test.log.length = 0;
  });

  const boot = async (more: Record<string, unknown> = {}, options = {}) => {
    const answer = await test.call('POST', 'servers', { body: bootBody(more), ...options });
    expect(answer.status, answer.text).toBe(202);
    return answer.json.server.id as string;
  };

  /** Every route with values in its parameters. */
  const routes = () =>
    test.api.routes
      .filter(route => route.path.startsWith('/v2/:project_id/'))
      .map(route => ({
        method: route.method,
        path: (tenant: string) =>
          route.path
            .replace(':project_id', tenant)
            .replace(/:server_id/g, '00000000-0000-4000-8000-000000000000')
            .replace(/:\w+/g, '1'),
      }));

  it("48: another tenant in the URL than in the token's is refused on every route", async () => {
    const all = routes();
    expect(all.length).toBeGreaterThan(150);
    for (const { method, path } of all) {
      const body = method === 'POST' || method === 'PUT' ? { raw: '{"a": {}}' } : {};
      const answer = await test.call(method, path(OTHER), body);
      expect(answer.status, `${method} ${path(OTHER)}`).toBeGreaterThanOrEqual(400);
      expect(answer.status, `${method} ${path(OTHER)}: ${answer.text}`).toBeLessThan(500);
    }
  });

  it('48: nothing below the mounts is open without a token', async () => {
    for (const { method, path } of routes()) {
      const answer = await test.call(method, path(DEMO), { headers: { 'x-auth-token': '' } });
      expect(answer.status, `${method} ${path(DEMO)}`).toBe(401);
    }
  });

  it('49: very long names are refused and never fill the log', async () => {
    for (const length of [256, 100_000]) {
      const name = 'n'.repeat(length);
      expect((await test.call('POST', 'servers', { body: bootBody({ name }) })).status).toBe(400);
      const group = { security_group: { name, description: 'd' } };
      expect((await test.call('POST', 'os-security-groups', { body: group })).status).toBe(400);
      expect((await test.call('POST', 'os-keypairs', { body: { keypair: { name } } })).status).toBe(400);
    }
    await test.call('GET', `servers/${'x'.repeat(8_000)}`);
    for (const line of test.log) expect(line.length).toBeLessThanOrEqual(16 * 1024 + 1);
  });

  it('50: parallel rules never pass the quota', async () => {
    const made = await test.call('POST', 'os-security-groups', {
      body: { security_group: { name: 'g50', description: 'd' } },
    });
    const parent_group_id = made.json.security_group.id;
    const answers = await Promise.all(
      Array.from({ length: 200 }, (_, n) =>
        test.call('POST', 'os-security-group-rules', {
          body: {
            security_group_rule: {
              parent_group_id,
              ip_protocol: 'tcp',
              from_port: n + 1,
              to_port: n + 1,
              cidr: '10.0.0.0/8',
            },
          },
        }),
      ),
    );
    expect(answers.filter(answer => answer.status === 200)).toHaveLength(20);
    expect(answers.filter(answer => answer.status === 413)).toHaveLength(180);
    const rows = await test.db.knex('security_group_rules').where({ parent_group_id, deleted: 0 });
    expect(rows).toHaveLength(20);
  });

  it('50: parallel groups never pass the quota', async () => {
    const answers = await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        test.call('POST', 'os-security-groups', {
          token: 'other',
          body: { security_group: { name: `g${n}`, description: 'd' } },
        }),
      ),
    );
    // Ten groups, one of which is the default.
    expect(answers.filter(answer => answer.status === 200)).toHaveLength(9);
    expect(await test.db.knex('security_groups').where({ project_id: OTHER, deleted: 0 })).toHaveLength(10);
  });

  it('51: a protocol in capitals is the same rule', async () => {
    const made = await test.call('POST', 'os-security-groups', {
      body: { security_group: { name: 'g51', description: 'd' } },
    });
    const rule = (ip_protocol: string) =>
      test.call('POST', 'os-security-group-rules', {
        body: {
          security_group_rule: {
            parent_group_id: made.json.security_group.id,
            ip_protocol,
            from_port: 22,
            to_port: 22,
            cidr: '0.0.0.0/0',
          },
        },
      });
    expect((await rule('TCP')).json.security_group_rule.ip_protocol).toBe('tcp');
    expect((await rule('tcp')).json.badRequest.message).toMatch(/already exists/);
  });

  it('53: hints are bounded', async () => {
    const hints = { different_host: Array.from({ length: 10_000 }, (_, n) => `h${n}`) };
    const answer = await test.call('POST', 'servers', {
      body: { ...bootBody(), 'os:scheduler_hints': hints },
    });
    expect(answer.status).toBe(400);
  });

  it("55: a boot uses nothing of another tenant's", async () => {
    const { knex } = test.db;
    await knex('volumes').insert({ id: 'vol-other', project_id: OTHER, size: 1, deleted: 0 });
    await knex('snapshots').insert({
      id: 'snap-other',
      project_id: OTHER,
      volume_id: 'vol-other',
      deleted: 0,
    });
    await knex('key_pairs').insert({ name: 'their-key', user_id: 'user-other', public_key: 'x', deleted: 0 });
    await knex('security_groups').insert({ name: 'their-group', project_id: OTHER, deleted: 0 });
    const device = { device_name: 'vdb' };
    for (const more of [
      { block_device_mapping: [{ ...device, volume_id: 'vol-other' }] },
      { block_device_mapping: [{ ...device, snapshot_id: 'snap-other' }] },
      { key_name: 'their-key' },
      { security_groups: [{ name: 'their-group' }] },
      { networks: [{ uuid: '00000000-0000-4000-8000-000000000001' }] },
      { imageRef: '00000000-0000-4000-8000-00000000dead' },
    ]) {
      const answer = await test.call('POST', 'servers', { body: bootBody(more) });
      expect([400, 404], JSON.stringify(more)).toContain(answer.status);
    }
    expect(await knex('instances').where({ deleted: 0 })).toEqual([]);
  });

  it("an image brings nothing of another tenant's to a boot, whatever the boot says of the same device", async () => {
    const { knex } = test.db;
    await knex('volumes').insert({ id: 'vol-theirs', project_id: OTHER, size: 1, deleted: 0 });
    const id = '55555555-0000-4000-8000-000000000055';
    for (const named of [{ volume_id: 'vol-theirs' }, { snapshot_id: 'snap-theirs' }]) {
      const block_device_mapping = [{ device_name: 'vdb', delete_on_termination: true, ...named }];
      test.images.set(id, { ...test.images.get(IMAGE)!, id, properties: { block_device_mapping } });
      // The flavor has no such disk: then the image's device stands.
      for (const own of [[], [{ device_name: 'vdb', virtual_name: 'ephemeral1' }]]) {
        const body = bootBody({ imageRef: id, block_device_mapping: own });
        const answer = await test.call('POST', 'servers', { body });
        expect(answer.status, `${JSON.stringify(own)} ${answer.text}`).toBe(400);
      }
    }
    expect(await knex('instances').where({ deleted: 0 })).toEqual([]);
  });

  it('59: a private flavor cannot be shown, booted or resized to by guessing its id', async () => {
    await createFlavor(
      test.db.knex,
      {
        name: 'secret',
        flavorid: '59',
        memory_mb: 64,
        vcpus: 1,
        root_gb: 0,
        ephemeral_gb: 0,
        swap: 0,
        rxtx_factor: 1,
        is_public: false,
      },
      0,
    );
    const server = await boot();
    await makeActive(test, server);
    expect((await test.call('GET', 'flavors/59')).status).toBe(404);
    expect((await test.call('GET', 'flavors/59/os-extra_specs')).json).toEqual({ extra_specs: {} });
    expect((await test.call('GET', 'flavors/59/os-extra_specs/a')).status).toBe(404);
    expect((await test.call('GET', 'flavors/59/os-flavor-access')).status).toBe(404);
    expect((await test.call('POST', 'servers', { body: bootBody({ flavorRef: '59' }) })).status).toBe(400);
    const resize = await test.call('POST', `servers/${server}/action`, {
      body: { resize: { flavorRef: '59' } },
    });
    expect(resize.json.badRequest.message).toBe('Unable to locate requested flavor.');
  });

  it("nobody but an administrator changes a flavor's specs or who has it", async () => {
    const specs = { extra_specs: { a: '1' } };
    expect((await test.call('POST', 'flavors/1/os-extra_specs', { body: specs })).status).toBe(403);
    expect((await test.call('PUT', 'flavors/1/os-extra_specs/a', { body: { a: '1' } })).status).toBe(403);
    expect((await test.call('DELETE', 'flavors/1/os-extra_specs/a')).status).toBe(403);
    const access = { addTenantAccess: { tenant: DEMO } };
    expect((await test.call('POST', 'flavors/1/action', { body: access })).status).toBe(403);
    expect((await test.call('POST', 'flavors/1/os-extra_specs', { body: specs, admin: true })).json).toEqual(
      specs,
    );
    expect((await test.call('GET', 'flavors/1/os-extra_specs')).json).toEqual(specs);
  });

  it('60: a rule of a group with 200 servers is one message a host', async () => {
    const group = (await test.call('GET', 'os-security-groups')).json.security_groups.find(
      (item: { name: string }) => item.name === 'default',
    );
    const { knex } = test.db;
    const [flavor] = await knex('instance_types').where({ flavorid: '1' }).select('id');
    for (let n = 0; n < 200; n++) {
      const uuid = `60000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
      await knex('instances').insert({
        uuid,
        project_id: DEMO,
        host: 'node1',
        vm_state: 'active',
        instance_type_id: flavor!.id,
        deleted: 0,
      });
      await knex('security_group_instance_association').insert({
        instance_uuid: uuid,
        security_group_id: group.id,
        deleted: 0,
      });
    }
    await test.call('POST', 'os-security-group-rules', {
      body: {
        security_group_rule: {
          parent_group_id: group.id,
          ip_protocol: 'icmp',
          from_port: -1,
          to_port: -1,
          cidr: '0.0.0.0/0',
        },
      },
    });
    const told = () => test.messages.filter(message => message.to.startsWith('compute.refresh'));
    await eventually(told).not.toEqual([]);
    // Time for a second one, which there must not be.
    await new Promise(resolve => setTimeout(resolve, 50));
    expect(told()).toHaveLength(1);
  });

  it('61: no request body opens an entity', async () => {
    const attack = `<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><server name="&x;" imageRef="${IMAGE}" flavorRef="1"/>`;
    for (const path of [
      'servers',
      'os-keypairs',
      'os-security-groups',
      'os-security-group-rules',
      'flavors',
    ]) {
      const answer = await test.call('POST', path, {
        raw: attack,
        headers: { 'content-type': 'application/xml' },
      });
      expect(answer.json).toEqual({ badRequest: { message: 'Malformed request body', code: 400 } });
    }
  });

  it('70: policy stands in the domain: what the rules forbid is forbidden by every way in', async () => {
    const server = await boot();
    await makeActive(test, server);
    const action = (body: unknown) => test.call('POST', `servers/${server}/action`, { body });
    for (const body of [
      { migrate: null },
      { lock: null },
      { resetNetwork: null },
      { 'os-resetState': { state: 'error' } },
    ]) {
      expect((await action(body)).json.forbidden.code).toBe(403);
    }
    for (const path of ['os-hosts', 'os-hypervisors', 'os-aggregates', `os-simple-tenant-usage/${ADMIN}`]) {
      expect((await test.call('GET', path)).status, path).toBe(403);
    }
    expect((await test.call('GET', `os-quota-sets/${ADMIN}`)).status).toBe(403);
  });

  it('71: after any sequence of calls the use of quota is what there is', async () => {
    const used = async () => (await test.call('GET', 'limits')).json.limits.absolute;
    const ids = [await boot(), await boot({ flavorRef: '2' }), await boot()];
    expect(await used()).toMatchObject({ totalInstancesUsed: 3, totalCoresUsed: 3, totalRAMUsed: 3072 });
    await makeActive(test, ids[1]!);
    await test.call('POST', `servers/${ids[1]}/action`, { body: { rescue: null } });
    await test.call('POST', `servers/${ids[1]}/action`, { body: { rescue: null } });
    await test.call('DELETE', `servers/${ids[1]}`);
    await test.call('DELETE', `servers/${ids[0]}`);
    await test.call('DELETE', `servers/${ids[0]}`);
    expect(await used()).toMatchObject({ totalInstancesUsed: 1, totalCoresUsed: 1, totalRAMUsed: 512 });
  });

  it('77: tokens and passwords are in no line of the log', async () => {
    const server = await boot({ adminPass: 'MARK-password' });
    await makeActive(test, server);
    await test.call('POST', `servers/${server}/action`, {
      body: { changePassword: { adminPass: 'MARK-second' } },
    });
    await test.call('GET', 'servers?token=MARK-query');
    expect(test.log.join('')).not.toContain('MARK-');
    expect(test.log.join('')).not.toMatch(/"(demo|admin)"[^,]*x-auth-token/);
  });

  it('79: what breaks inside is never shown', async () => {
    const broken = await startTestApi({
      answers: {
        'compute.get_console_output': () => {
          throw new Error('/var/lib/nova/secret-path');
        },
      },
    });
    try {
      const answer = await broken.call('POST', 'servers', { body: bootBody() });
      const { id } = answer.json.server;
      await makeActive(broken, id);
      const output = await broken.call('POST', `servers/${id}/action`, {
        body: { 'os-getConsoleOutput': {} },
      });
      expect(output.status).toBe(500);
      const requestId = output.headers.get('x-compute-request-id');
      expect(requestId).toMatch(/^req-/);
      expect(output.json.computeFault.message).toBe(
        `The server has either erred or is incapable of performing the requested operation. (request ${requestId})`,
      );
    } finally {
      await broken.stop();
    }
  });
});
