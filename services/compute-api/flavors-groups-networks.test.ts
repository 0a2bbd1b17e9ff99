import { Fault } from '@folsom/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootBody, DEMO, startTestApi, type TestApi } from './test-api.ts';

describe('flavors, security groups and networks', () => {
  let test: TestApi;
  beforeAll(async () => {
    test = await startTestApi({
      answers: {
        'network.create_networks': () => {
          throw new Fault(
            'ValueError',
            400,
            'requested cidr (10.0.0.0/24) conflicts with existing supernet',
            {
              module: 'exceptions',
            },
          );
        },
      },
    });
  });
  afterAll(() => test.stop());

  const flavorXml = (attributes: string) =>
    `<flavor xmlns="http://docs.openstack.org/compute/api/v1.1" xmlns:OS-FLV-EXT-DATA="urn:data" ` +
    `xmlns:os-flavor-access="urn:access" name="x1" id="x1" ram="64" vcpus="1" disk="1" swap="0" rxtx_factor="1" ${attributes}/>`;
  const xml = { 'content-type': 'application/xml' };

  it('makes a flavor of XML, whose prefixed attributes count', async () => {
    const raw = flavorXml('OS-FLV-EXT-DATA:ephemeral="7" os-flavor-access:is_public="false"');
    const made = await test.call('POST', 'flavors', { raw, headers: xml, admin: true });
    expect(made.status, made.text).toBe(200);
    expect(made.json.flavor).toMatchObject({
      'OS-FLV-EXT-DATA:ephemeral': 7,
      'os-flavor-access:is_public': false,
    });
  });

  it('shows a deleted flavor by its id, and nowhere else', async () => {
    expect((await test.call('DELETE', 'flavors/x1', { admin: true })).status).toBe(202);
    const shown = await test.call('GET', 'flavors/x1', { admin: true });
    expect(shown.json?.flavor).toMatchObject({ id: 'x1', name: 'x1' });
    // It was private.
    expect((await test.call('GET', 'flavors/x1')).status).toBe(404);
    const { flavors } = (await test.call('GET', 'flavors?is_public=None', { admin: true })).json;
    expect(flavors.map((flavor: { id: string }) => flavor.id)).not.toContain('x1');
    expect((await test.call('DELETE', 'flavors/x1', { admin: true })).status).toBe(404);
    const boot = {
      server: { name: 'vm', imageRef: '22e03ebe-e1fd-41f9-b59e-9a411e9e2780', flavorRef: 'x1' },
    };
    expect((await test.call('POST', 'servers', { body: boot, admin: true })).json.badRequest.message).toBe(
      'Invalid flavorRef provided.',
    );
  });

  it("finds the tenant's security group by a name that is no number", async () => {
    const rule = (more: object) =>
      test.call('POST', 'os-security-group-rules', {
        body: { security_group_rule: { ip_protocol: 'tcp', from_port: 22, to_port: 22, ...more } },
      });
    const shown = await test.call('GET', 'os-security-groups/default');
    expect(shown.json.security_group).toMatchObject({ name: 'default', tenant_id: DEMO });
    const { id } = shown.json.security_group;
    const made = await rule({ parent_group_id: 'default', group_id: 'default' });
    expect(made.json.security_group_rule).toMatchObject({ parent_group_id: id, group: { name: 'default' } });
    for (const answer of [
      await rule({ parent_group_id: 'nosuch' }),
      await rule({ parent_group_id: id, group_id: 'nosuch' }),
      await test.call('GET', 'os-security-groups/nosuch'),
      await test.call('DELETE', 'os-security-groups/default'),
    ]) {
      expect(answer.status).toBe(400);
      expect(answer.json.badRequest.message).toBe('Security group id should be integer');
    }
    expect((await rule({ parent_group_id: 9999 })).status).toBe(404);
    expect((await rule({ parent_group_id: id, group_id: 9999 })).status).toBe(400);
  });

  it('reads forms where a client of today sends them, and nowhere else', async () => {
    const send = async (path: string, fields: Record<string, string>) => {
      const answer = await test.call('POST', path, {
        raw: new URLSearchParams(fields).toString(),
        headers: { 'content-type': 'application/x-www-form-urlencoded; charset=utf-8' },
      });
      return [answer.status, answer.json];
    };
    const group = await send('os-security-groups', { name: 'of a form', description: 'a & b' });
    expect(group).toMatchObject([200, { security_group: { name: 'of a form', description: 'a & b' } }]);
    const rule = {
      parent_group_id: '1',
      ip_protocol: 'tcp',
      from_port: '24',
      to_port: '24',
      cidr: '0.0.0.0/0',
    };
    expect(await send('os-security-group-rules', rule)).toMatchObject([
      200,
      { security_group_rule: { from_port: 24, ip_range: { cidr: '0.0.0.0/0' } } },
    ]);
    expect((await send('os-security-group-rules', { ...rule, from_port: 'x' }))[0]).toBe(400);
    expect((await send('os-security-group-rules', { __proto__: 'x' } as never))[0]).toBe(400);
    expect((await send('os-keypairs', { name: 'k' }))[0]).toBe(400);
  });

  it('puts a server into a group by its number, and takes it out, within the tenant', async () => {
    const { server } = (await test.call('POST', 'servers', { body: bootBody() })).json;
    const { knex } = test.db;
    await knex('instances')
      .where({ uuid: server.id })
      .update({ vm_state: 'active', task_state: null, power_state: 1 });
    const { id } = (await test.call('GET', 'os-security-groups/default')).json.security_group;
    const move = async (key: string, name: unknown) => {
      const { status, json } = await test.call('POST', `servers/${server.id}/action`, {
        body: { [key]: { name } },
      });
      return json?.badRequest?.message ?? status;
    };
    expect(await move('removeSecurityGroup', id)).toBe(202);
    expect(await move('addSecurityGroup', id)).toBe(202);
    const other = await test.call('GET', 'os-security-groups/default', { token: 'other' });
    const foreign = other.json.security_group?.id ?? 9998;
    for (const name of [9999, foreign, 0, -1, 1.5, 2 ** 40, null, [id], true])
      expect(await move('addSecurityGroup', name), String(name)).toBe('Security group name cannot be empty');
  });

  it('says what is wrong with a network', async () => {
    const body = { network: { label: 'twice', cidr: '10.0.0.0/24' } };
    const answer = await test.call('POST', 'os-networks', { body, admin: true });
    expect(answer.status, answer.text).toBe(400);
    expect(answer.json.badRequest.message).toMatch(/conflicts with existing supernet/);
  });

  it('takes slashes in a row for one', async () => {
    for (const path of [`/v2/${DEMO}//flavors`, `//v2/${DEMO}/flavors`, `/v2//${DEMO}/flavors`]) {
      expect((await test.call('GET', path)).status, path).toBe(200);
    }
    const nobody = await test.call('GET', `//v2/${DEMO}//flavors`, { token: 'nosuch' });
    expect(nobody.status).toBe(401);
  });
});
