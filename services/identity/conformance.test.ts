import { serverMissing, startSlapd } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fillDirectory } from './directory/test-directory.ts';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from './test-identity.ts';

/** Where identities are kept: what the API says of them is the same. */
const kept = {
  'the database': {
    there: true,
    make: async () => {
      const cloud = await startTestIdentity();
      return { cloud, stop: cloud.stop };
    },
  },
  'a directory': {
    there: !serverMissing('slapd'),
    make: async () => {
      const server = await startSlapd();
      const { settings } = await fillDirectory(server);
      const cloud = await startTestIdentity({ settings });
      const stop = async () => {
        await cloud.stop();
        await server.stop();
      };
      return { cloud, stop };
    },
  },
};

const message = (answer: { json: { error: { message: string } } }) => answer.json.error.message;
const idsOf = (things: { id: string }[]) => things.map(({ id }) => id);

/** What could end a filter or a name early, or mean everybody. */
const hostile = [
  '*',
  '*)(objectClass=*',
  'x)(|(cn=*',
  'a,ou=Groups',
  'a+sn=b',
  '\\2a',
  '#0a',
  '"q"',
  'nul\u0000',
  'Zoë 张三',
];

describe.each(Object.entries(kept))('identities kept in %s', (_name, { there, make }) => {
  describe.skipIf(!there)('', () => {
    let cloud: TestIdentity;
    let stop: () => Promise<void>;
    beforeAll(async () => {
      ({ cloud, stop } = await make());
    }, 120_000);
    afterAll(async () => {
      await stop();
      expect([...cloud.undeclared]).toEqual([]);
    });
    const made = async (path: string, wrapper: string, fields: Record<string, unknown>) => {
      const answer = await cloud.admin('POST', path, { [wrapper]: fields });
      expect(answer.status, answer.text).toBe(200);
      return answer.json[wrapper] as { id: string; name: string };
    };
    const tenant = (name: string) =>
      made('/tenants', 'tenant', { name, description: `of ${name}`, enabled: true });
    const user = (name: string, fields = {}) =>
      made('/users', 'user', {
        name,
        password: TEST_PASSWORD,
        email: `${name}@example.org`,
        enabled: true,
        ...fields,
      });
    const role = (name: string) => made('/OS-KSADM/roles', 'role', { name });
    const login = (name: string, password: string, tenantName?: string) =>
      cloud.public('POST', '/tokens', {
        auth: { passwordCredentials: { username: name, password }, ...(tenantName ? { tenantName } : {}) },
      });

    it('makes, shows, changes and deletes tenants', async () => {
      const { id } = await tenant('research');
      expect((await cloud.admin('GET', `/tenants/${id}`)).json.tenant).toMatchObject({
        id,
        name: 'research',
        description: 'of research',
      });
      const changed = await cloud.admin('POST', `/tenants/${id}`, {
        tenant: { id, name: 'research', description: 'changed' },
      });
      expect(changed.json.tenant).toMatchObject({ id, name: 'research', extra: { description: 'changed' } });
      const cleared = await cloud.admin('POST', `/tenants/${id}`, { tenant: { description: '' } });
      expect(cleared.status).toBe(200);
      const again = await cloud.admin('POST', '/tenants', { tenant: { name: 'research' } });
      expect([again.status, message(again)]).toEqual([
        409,
        expect.stringContaining('Conflict occurred attempting to store tenant.'),
      ]);
      const sameId = await cloud.admin('POST', '/tenants', { tenant: { id, name: 'another' } });
      expect(sameId.status).toBe(409);
      expect((await cloud.admin('DELETE', `/tenants/${id}`)).status).toBe(204);
      for (const method of ['GET', 'DELETE']) {
        const gone = await cloud.admin(method, `/tenants/${id}`);
        expect([gone.status, message(gone)]).toEqual([404, `Could not find tenant: ${id}`]);
      }
      expect((await cloud.admin('POST', `/tenants/${id}`, { tenant: { description: 'x' } })).status).toBe(
        404,
      );
    });

    it('lists tenants in pages that fit together', async () => {
      for (const name of ['page-a', 'page-b', 'page-c', 'page-d', 'page-e']) await tenant(name);
      const all = idsOf((await cloud.admin('GET', '/tenants')).json.tenants);
      expect(all.length).toBeGreaterThanOrEqual(5);
      const first = idsOf((await cloud.admin('GET', '/tenants?limit=3')).json.tenants);
      const rest = idsOf((await cloud.admin('GET', `/tenants?marker=${first[2]}`)).json.tenants);
      expect([...first, ...rest]).toEqual(all);
      expect((await cloud.admin('GET', '/tenants?marker=nowhere')).status).toBe(400);
    });

    it('makes, shows, changes and deletes users, and shows no password', async () => {
      const { id } = await user('ada');
      const shown = (await cloud.admin('GET', `/users/${id}`)).json.user;
      expect(shown).toMatchObject({ id, name: 'ada', email: 'ada@example.org' });
      expect(shown.password).toBeUndefined();
      const listed = await cloud.admin('GET', '/users');
      expect(idsOf(listed.json.users)).toContain(id);
      expect(listed.text).not.toMatch(/\{SSHA\}|\$6\$|password/);
      const again = await cloud.admin('POST', '/users', { user: { name: 'ada', password: 'x' } });
      expect([again.status, message(again)]).toEqual([
        409,
        expect.stringContaining('Conflict occurred attempting to store user.'),
      ]);
      const changed = await cloud.admin('PUT', `/users/${id}`, { user: { id, email: 'ada@example.net' } });
      expect(changed.json.user).toMatchObject({ id, name: 'ada', extra: { email: 'ada@example.net' } });
      const otherId = await cloud.admin('PUT', `/users/${id}`, { user: { id: 'x' } });
      expect([otherId.status, message(otherId)]).toEqual([400, 'Cannot change user ID']);
      expect((await cloud.admin('POST', '/users', { user: { name: 'x', tenantId: 'nowhere' } })).status).toBe(
        404,
      );
      expect((await cloud.admin('DELETE', `/users/${id}`)).status).toBe(204);
      for (const method of ['GET', 'DELETE']) {
        const gone = await cloud.admin(method, `/users/${id}`);
        expect([gone.status, message(gone)]).toEqual([404, `Could not find user: ${id}`]);
      }
      expect((await cloud.admin('PUT', `/users/${id}`, { user: { email: 'x' } })).status).toBe(404);
      expect((await login('ada', TEST_PASSWORD)).status).toBe(401);
    });

    it('makes, shows and deletes roles', async () => {
      const { id } = await role('auditor');
      expect((await cloud.admin('GET', `/OS-KSADM/roles/${id}`)).json.role).toEqual({ id, name: 'auditor' });
      expect((await cloud.admin('GET', '/OS-KSADM/roles')).json.roles).toContainEqual({
        id,
        name: 'auditor',
      });
      const again = await cloud.admin('POST', '/OS-KSADM/roles', { role: { name: 'auditor' } });
      expect([again.status, message(again)]).toEqual([
        409,
        expect.stringContaining('Conflict occurred attempting to store role.'),
      ]);
      expect((await cloud.admin('DELETE', `/OS-KSADM/roles/${id}`)).status).toBe(204);
      for (const method of ['GET', 'DELETE']) {
        const gone = await cloud.admin(method, `/OS-KSADM/roles/${id}`);
        expect([gone.status, message(gone)]).toEqual([404, `Could not find role: ${id}`]);
      }
    });

    it('logs in with name or id, with and without a tenant, and in nobody else’s', async () => {
      const { userId, tenantId } = await cloud.person('bob', { role: 'Member' });
      await cloud.person('carol');
      const unscoped = await login('bob', TEST_PASSWORD);
      expect(unscoped.json.access.token.tenant).toBeUndefined();
      expect(unscoped.json.access.user).toMatchObject({ id: userId, name: 'bob', roles: [] });
      const scoped = await login('bob', TEST_PASSWORD, 'bob');
      expect(scoped.json.access.token.tenant).toMatchObject({ id: tenantId, name: 'bob' });
      expect(scoped.json.access.user.roles).toEqual([{ name: 'Member' }]);
      const checked = await cloud.admin('GET', `/tokens/${scoped.json.access.token.id}`);
      expect(checked.json.access.user.roles).toMatchObject([{ name: 'Member' }]);
      const byId = await cloud.public('POST', '/tokens', {
        auth: { passwordCredentials: { userId, password: TEST_PASSWORD }, tenantId },
      });
      expect(byId.json.access.token.tenant.id).toBe(tenantId);
      const again = await cloud.public('POST', '/tokens', {
        auth: { token: { id: unscoped.json.access.token.id }, tenantName: 'bob' },
      });
      expect(again.json.access.user.roles).toEqual([{ name: 'Member' }]);
      const own = await cloud.public('GET', '/tenants', undefined, unscoped.json.access.token.id);
      expect(idsOf(own.json.tenants)).toEqual([tenantId]);
      const foreign = await cloud.public(
        'GET',
        '/tenants?marker=x',
        undefined,
        unscoped.json.access.token.id,
      );
      expect(foreign.status).toBe(400);
      for (const [name, password, where, text] of [
        ['bob', 'wrong', undefined, 'Invalid user / password'],
        ['bob', '', undefined, 'Invalid user / password'],
        ['nobody', TEST_PASSWORD, undefined, 'Invalid user / password'],
        ['bob', TEST_PASSWORD, 'carol', 'Invalid tenant'],
        ['bob', TEST_PASSWORD, 'nowhere', 'The request you have made requires authentication.'],
      ] as const) {
        const answer = await login(name, password, where);
        expect([answer.status, message(answer)]).toEqual([401, text]);
      }
    });

    it('lets nothing in a name or an id mean more than itself', async () => {
      for (const text of hostile) {
        expect((await login(text, TEST_PASSWORD)).status, text).toBe(401);
        for (const path of ['/users', '/tenants', '/OS-KSADM/roles']) {
          const answer = await cloud.admin('GET', `${path}/${encodeURIComponent(text)}`);
          expect(answer.status, `${path} ${text}`).toBe(404);
        }
      }
      const names = ['*)(objectClass=*', 'a,ou=Groups', 'a+sn=b', '#0a', '"q"', 'Zoë 张三'];
      for (const name of names) {
        const { id } = await user(name, { email: 'x@example.org' });
        expect((await cloud.admin('GET', `/users/${id}`)).json.user.name).toBe(name);
        expect((await login(name, TEST_PASSWORD)).json.access.user).toMatchObject({ id, name });
        const own = await made('/tenants', 'tenant', { id: `t ${name}`, name });
        const place = `/tenants/${encodeURIComponent(own.id)}`;
        expect((await cloud.admin('GET', place)).json.tenant).toMatchObject({ id: `t ${name}`, name });
        const member = await role(`r ${name}`);
        const granted = await cloud.admin('PUT', `${place}/users/${id}/roles/OS-KSADM/${member.id}`);
        expect(granted.status).toBe(200);
        const roles = (await cloud.admin('GET', `${place}/users/${id}/roles`)).json.roles;
        expect(roles).toEqual([{ id: member.id, name: `r ${name}` }]);
        expect(idsOf((await cloud.admin('GET', `${place}/users`)).json.users)).toEqual([id]);
      }
    });

    it('gives roles and takes them, and whoever has none left leaves the tenant', async () => {
      const { id: userId } = await user('dave');
      const { id: tenantId } = await tenant('lab');
      const [one, two] = [await role('one'), await role('two')];
      const path = `/tenants/${tenantId}/users/${userId}/roles`;
      const roles = async () => idsOf((await cloud.admin('GET', path)).json.roles).toSorted();
      const members = async () => idsOf((await cloud.admin('GET', `/tenants/${tenantId}/users`)).json.users);
      for (const { id } of [one, two])
        expect((await cloud.admin('PUT', `${path}/OS-KSADM/${id}`)).json.role.id).toBe(id);
      expect(await roles()).toEqual([one.id, two.id].toSorted());
      expect(await members()).toEqual([userId]);
      const refs = (await cloud.admin('GET', `/users/${userId}/roleRefs`)).json.roles as { roleId: string }[];
      expect(refs.map(ref => ref.roleId).toSorted()).toEqual([one.id, two.id].toSorted());
      const again = await cloud.admin('PUT', `${path}/OS-KSADM/${one.id}`);
      expect([again.status, message(again)]).toEqual([
        409,
        `Conflict occurred attempting to store role grant. User ${userId} already has role ${one.id} in tenant ${tenantId}`,
      ]);
      expect((await cloud.admin('DELETE', `${path}/OS-KSADM/${one.id}`)).status).toBe(204);
      // What is not held is not taken, and taking it does not give it (CVE-2013-4477).
      const missing = await cloud.admin('DELETE', `${path}/OS-KSADM/${one.id}`);
      expect([missing.status, message(missing)]).toEqual([
        404,
        `Cannot remove role that has not been granted, ${one.id}`,
      ]);
      expect(await roles()).toEqual([two.id]);
      expect((await cloud.admin('DELETE', `${path}/OS-KSADM/${two.id}`)).status).toBe(204);
      expect([await roles(), await members()]).toEqual([[], []]);
      for (const [where, who, what] of [
        ['nowhere', userId, one.id],
        [tenantId, 'nobody', one.id],
        [tenantId, userId, 'nothing'],
      ])
        expect(
          (await cloud.admin('PUT', `/tenants/${where}/users/${who}/roles/OS-KSADM/${what}`)).status,
        ).toBe(404);
      expect(await members()).toEqual([]);
    });

    it('ends the tokens of rights that are gone', async () => {
      const { userId, tenantId, roleId } = await cloud.person('erin', { role: 'brief' });
      const alive = async (token: string) => (await cloud.admin('GET', `/tokens/${token}`)).status;
      const path = `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`;
      const first = await cloud.login('erin');
      expect(await alive(first)).toBe(200);
      expect((await cloud.admin('DELETE', path)).status).toBe(204);
      expect(await alive(first)).toBe(404);
      expect((await cloud.admin('PUT', path)).status).toBe(200);
      const second = await cloud.login('erin');
      expect(
        (await cloud.admin('PUT', `/users/${userId}/password`, { user: { password: 'new' } })).status,
      ).toBe(200);
      expect([await alive(second), (await login('erin', TEST_PASSWORD)).status]).toEqual([404, 401]);
      const third = await cloud.login('erin', { password: 'new' });
      const own = await cloud.public(
        'PATCH',
        `/OS-KSCRUD/users/${userId}`,
        { user: { original_password: 'new', password: 'newer' } },
        third,
      );
      expect(own.status).toBe(200);
      expect([await alive(third), await alive(own.json.access.token.id)]).toEqual([404, 200]);
      const fourth = await cloud.login('erin', { password: 'newer' });
      expect((await cloud.admin('DELETE', `/OS-KSADM/roles/${roleId}`)).status).toBe(204);
      expect(await alive(fourth)).toBe(404);
      const fifth = await cloud.login('erin', { password: 'newer' });
      expect((await cloud.admin('DELETE', `/users/${userId}`)).status).toBe(204);
      expect(await alive(fifth)).toBe(404);
    });

    it('keeps EC2 pairs beside them, which go with their user', async () => {
      const { userId, tenantId } = await cloud.person('frank');
      const path = `/users/${userId}/credentials/OS-EC2`;
      const made = await cloud.admin('POST', path, { tenant_id: tenantId });
      expect(made.json.credential).toMatchObject({ user_id: userId, tenant_id: tenantId });
      expect((await cloud.admin('GET', path)).json.credentials).toHaveLength(1);
      expect((await cloud.admin('DELETE', `/users/${userId}`)).status).toBe(204);
      expect((await cloud.admin('GET', path)).status).toBe(404);
      expect(await cloud.db.knex('ec2_credential').where({ user_id: userId })).toEqual([]);
    });

    it('forgets a tenant with all that hangs on it', async () => {
      const { userId, tenantId } = await cloud.person('grace');
      const token = await cloud.login('grace');
      expect((await cloud.admin('DELETE', `/tenants/${tenantId}`)).status).toBe(204);
      expect((await cloud.admin('GET', `/tokens/${token}`)).status).toBe(404);
      expect((await cloud.admin('GET', `/users/${userId}/roleRefs`)).json.roles).toEqual([]);
      const again = await made('/tenants', 'tenant', { id: tenantId, name: 'grace' });
      expect((await cloud.admin('GET', `/tenants/${again.id}/users`)).json.users).toEqual([]);
      expect((await login('grace', TEST_PASSWORD, 'grace')).status).toBe(401);
    });
  });
});
