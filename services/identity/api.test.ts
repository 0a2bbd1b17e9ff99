import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from './test-identity.ts';

let cloud: TestIdentity;
beforeAll(async () => {
  cloud = await startTestIdentity();
});
afterAll(async () => {
  await cloud.stop();
  expect([...cloud.undeclared]).toEqual([]);
});

const message = (answer: { json: { error: { message: string } } }) => answer.json.error.message;

describe('version documents', () => {
  it('are not there until the catalog names an identity service', async () => {
    const answer = await fetch(`${cloud.publicUrl}/`);
    expect(answer.status).toBe(501);
    const service = await cloud.admin('POST', '/OS-KSADM/services', {
      'OS-KSADM:service': { name: 'keystone', type: 'identity', description: 'd' },
    });
    expect(service.json['OS-KSADM:service']).toMatchObject({
      name: 'keystone',
      type: 'identity',
      description: 'd',
    });
    const endpoint = await cloud.admin('POST', '/endpoints', {
      endpoint: {
        region: 'regionOne',
        service_id: service.json['OS-KSADM:service'].id,
        publicurl: 'http://pub:5000/v2.0',
        adminurl: 'http://adm:35357/v2.0',
        internalurl: 'http://int:5000/v2.0',
      },
    });
    expect(endpoint.status).toBe(200);
    const versions = await fetch(`${cloud.publicUrl}/`);
    expect(versions.status).toBe(300);
    const body = (await versions.json()) as {
      versions: { values: { links: { href: string }[]; id: string }[] };
    };
    expect(body.versions.values[0]).toMatchObject({ id: 'v2.0' });
    expect(body.versions.values[0]!.links[0]!.href).toBe('http://pub:5000/v2.0/');
    const admin = await cloud.admin('GET', '');
    expect(admin.json.version.links[0].href).toBe('http://adm:35357/v2.0/');
  });

  it('answer every method; anything else wrong is a 404 with keystone’s body', async () => {
    expect((await fetch(`${cloud.publicUrl}/`, { method: 'POST' })).status).toBe(300);
    const lost = await cloud.public('PUT', '/tokens', { a: 1 });
    expect(lost.status).toBe(404);
    expect(lost.json).toEqual({
      error: { message: 'The resource could not be found.', code: 404, title: 'Not Found' },
    });
    expect((await cloud.public('GET', '/users', undefined, 'x')).status).toBe(404);
    expect((await fetch(`${cloud.publicUrl}//v2.0//extensions/`)).status).toBe(200);
  });

  it('carry Vary and no charset', async () => {
    const answer = await cloud.admin('GET', '/tenants');
    expect(answer.headers.get('vary')).toBe('X-Auth-Token');
    expect(answer.headers.get('content-type')).toBe('application/json');
  });
});

describe('logging in', () => {
  beforeAll(async () => {
    await cloud.person('anna');
  });
  const auth = (auth: unknown) => cloud.public('POST', '/tokens', { auth });
  const credentials = { username: 'anna', password: TEST_PASSWORD };

  it('gives an unscoped token without a tenant', async () => {
    const { json } = await auth({ passwordCredentials: credentials });
    expect(json.access.serviceCatalog).toEqual([]);
    expect(json.access.token.tenant).toBeUndefined();
    expect(json.access.metadata).toBeUndefined();
    expect(json.access.user).toMatchObject({ name: 'anna', username: 'anna', roles: [], roles_links: [] });
    expect(
      (await auth({ passwordCredentials: credentials, tenantName: '' })).json.access.token.tenant,
    ).toBeUndefined();
  });

  it('gives a scoped one with catalog, roles by name and their ids in metadata', async () => {
    const { json } = await auth({ passwordCredentials: credentials, tenantName: 'anna' });
    expect(json.access.token.id).toMatch(/^[0-9a-f]{32}$/);
    expect(json.access.token.expires).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    expect(json.access.token.tenant).toMatchObject({ name: 'anna', enabled: true });
    expect(json.access.user.roles).toEqual([{ name: 'Member' }]);
    expect(json.access.metadata.roles).toHaveLength(1);
    expect(json.access.serviceCatalog[0]).toMatchObject({ type: 'identity', endpoints_links: [] });
  });

  it.each([
    [{ username: 'anna', password: 'wrong' }, undefined, 'Invalid user / password'],
    [{ username: 'nobody', password: 'wrong' }, undefined, 'Invalid user / password'],
    [{ username: 'anna' }, undefined, 'Invalid user / password'],
    [{}, undefined, 'Invalid user / password'],
    [credentials, 'nowhere', 'The request you have made requires authentication.'],
  ])('refuses %j in %s', async (passwordCredentials, tenantName, text) => {
    const answer = await auth({ passwordCredentials, ...(tenantName ? { tenantName } : {}) });
    expect(answer.status).toBe(401);
    expect(message(answer)).toBe(text);
    expect(answer.json.error.title).toBe('Not Authorized');
    expect(answer.headers.get('www-authenticate')).toBeNull();
  });

  it('tells members only about a tenant', async () => {
    await cloud.person('bert');
    const answer = await auth({ passwordCredentials: credentials, tenantName: 'bert' });
    expect(answer.status).toBe(401);
    expect(message(answer)).toBe('Invalid tenant');
  });

  it.each([
    ['username', { passwordCredentials: { username: 'u'.repeat(65), password: 'x' } }, 64],
    ['userId', { passwordCredentials: { userId: 'u'.repeat(65), password: 'x' } }, 64],
    ['password', { passwordCredentials: { username: 'anna', password: 'x'.repeat(4097) } }, 4096],
    ['tenantName', { passwordCredentials: credentials, tenantName: 't'.repeat(65) }, 64],
    ['tenantId', { passwordCredentials: credentials, tenantId: 't'.repeat(65) }, 64],
    ['token', { token: { id: 't'.repeat(8193) } }, 8192],
  ])('bounds %s', async (attribute, body, size) => {
    const answer = await auth(body);
    expect(answer.status).toBe(400);
    expect(message(answer)).toContain(
      `Request attribute ${attribute} must be less than or equal to ${size}.`,
    );
  });

  it.each([
    {},
    null,
    'x',
    [],
    { passwordCredentials: null },
    { passwordCredentials: 'x' },
    { passwordCredentials: { username: 5, password: 'x' } },
    { passwordCredentials: credentials, tenantName: 5 },
    { token: {} },
    { token: { id: 7 } },
    { apiKeyCredentials: {} },
  ])('answers 400, not 500, to %j', async body => {
    const answer = await auth(body);
    expect(answer.status).toBe(400);
    expect(answer.json.error.title).toBe('Bad Request');
  });

  it.each([
    ['text/plain', '{}'],
    ['application/json', '{"auth":'],
    ['application/json', '[1]'],
    ['application/json', '"x"'],
    ['application/xml', '<auth>'],
    ['application/xml', '<!DOCTYPE a [<!ENTITY x "y">]><auth/>'],
  ])('refuses %s %s', async (type, body) => {
    const answer = await fetch(`${cloud.publicUrl}/v2.0/tokens`, {
      method: 'POST',
      headers: { 'content-type': type },
      body,
    });
    expect(answer.status).toBe(400);
  });

  it('finds a user by id and a tenant by id', async () => {
    const { userId, tenantId } = await cloud.person('carl');
    const answer = await auth({ passwordCredentials: { userId, password: TEST_PASSWORD }, tenantId });
    expect(answer.json.access.token.tenant.id).toBe(tenantId);
  });
});

describe('XML', () => {
  it('goes in and out by Content-Type and Accept', async () => {
    const answer = await fetch(`${cloud.publicUrl}/v2.0/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/xml', accept: 'application/xml' },
      body: `<auth xmlns="http://docs.openstack.org/identity/api/v2.0" tenantName="anna"><passwordCredentials username="anna" password="${TEST_PASSWORD}"/></auth>`,
    });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/xml');
    const text = await answer.text();
    expect(text).toContain('<access xmlns="http://docs.openstack.org/identity/api/v2.0">');
    expect(text).toContain('<serviceCatalog>\n    <service ');
  });

  it('shapes faults, too', async () => {
    const answer = await fetch(`${cloud.adminUrl}/v2.0/users`, { headers: { accept: 'application/xml' } });
    expect(answer.status).toBe(401);
    expect(await answer.text()).toContain(
      '<error xmlns="http://docs.openstack.org/identity/api/v2.0" message="The request you have made requires authentication." code="401" title="Not Authorized"/>',
    );
  });

  it('creates and lists extension resources in their namespace', async () => {
    const answer = await fetch(`${cloud.adminUrl}/v2.0/OS-KSADM/services`, {
      method: 'POST',
      headers: {
        'content-type': 'application/xml',
        accept: 'application/xml',
        'x-auth-token': 'bootstrap-secret-of-tests',
      },
      body: '<service xmlns="http://docs.openstack.org/identity/api/ext/OS-KSADM/v1.0" name="x" type="y" description="d"/>',
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).toContain(
      '<service xmlns="http://docs.openstack.org/identity/api/ext/OS-KSADM/v1.0"',
    );
  });
});

describe('tenants', () => {
  it('are created with whatever fields they are given', async () => {
    const answer = await cloud.admin('POST', '/tenants', {
      tenant: { name: ' t1 ', 'x-extra': 'foo', n: 5 },
    });
    expect(answer.status).toBe(200);
    expect(answer.json.tenant).toMatchObject({ name: 't1', x_extra: 'foo', n: 5 });
    expect(answer.json.tenant.enabled).toBeUndefined();
    const again = await cloud.admin('POST', '/tenants', { tenant: { name: 't1' } });
    expect(again.status).toBe(409);
    expect(message(again)).toContain('Conflict occurred attempting to store tenant.');
  });

  it.each([
    [{ name: '' }, 'Name field is required and cannot be empty'],
    [{}, 'Name field is required and cannot be empty'],
    [{ name: 'x'.repeat(65) }, 'Tenant name should not be greater than 64 characters.'],
    [{ name: '   ' }, 'Tenant name cannot be empty.'],
    [{ name: 5 }, 'Tenant name is not a string or unicode'],
  ])('need a name: %j', async (tenant, text) => {
    const answer = await cloud.admin('POST', '/tenants', { tenant });
    expect(answer.status).toBe(400);
    expect(message(answer)).toBe(text);
  });

  it('are changed by PUT and POST; the answer keeps the rest in extra', async () => {
    const { id } = (await cloud.admin('POST', '/tenants', { tenant: { name: 't2', description: 'a' } })).json
      .tenant;
    const put = await cloud.admin('PUT', `/tenants/${id}`, { tenant: { name: 't2b', id: 'zzz' } });
    expect(put.json.tenant).toEqual({ id, name: 't2b', extra: { description: 'a' } });
    const post = await cloud.admin('POST', `/tenants/${id}`, { tenant: { description: 'b' } });
    expect(post.json.tenant.extra).toEqual({ description: 'b' });
    expect((await cloud.admin('GET', `/tenants/${id}`)).json.tenant).toEqual({
      id,
      name: 't2b',
      description: 'b',
    });
    expect((await cloud.admin('DELETE', `/tenants/${id}`)).status).toBe(204);
    const gone = await cloud.admin('DELETE', `/tenants/${id}`);
    expect([gone.status, message(gone)]).toEqual([404, `Could not find tenant: ${id}`]);
  });

  it('come in pages', async () => {
    const all = (await cloud.admin('GET', '/tenants')).json.tenants as { id: string }[];
    const page = await cloud.admin('GET', `/tenants?marker=${all[0]!.id}&limit=1`);
    expect(page.json.tenants.map((tenant: { id: string }) => tenant.id)).toEqual([all[1]!.id]);
    expect((await cloud.admin('GET', '/tenants?limit=0')).json.tenants).toEqual([]);
    for (const [query, text] of [
      ['limit=-1', 'Invalid limit value'],
      ['limit=abc', 'Invalid limit value'],
      ['marker=zz', 'Marker could not be found'],
    ]) {
      const answer = await cloud.admin('GET', `/tenants?${query}`);
      expect([answer.status, message(answer)]).toEqual([400, text]);
    }
  });

  it('of a token are those its user is a member of', async () => {
    const { tenantId } = await cloud.person('dora');
    const token = await cloud.login('dora');
    const answer = await cloud.public('GET', '/tenants', undefined, token);
    expect(answer.json.tenants.map((tenant: { id: string }) => tenant.id)).toEqual([tenantId]);
    expect((await cloud.public('GET', '/tenants')).status).toBe(401);
    expect((await cloud.admin('GET', '/tenants', undefined, token)).status).toBe(403);
  });
});

describe('a page of tenants', () => {
  it('is read from the database as a page, by those who may see it', async () => {
    const people = [];
    for (const name of ['p1', 'p2', 'p3']) people.push(await cloud.person(name, { tenant: `page-${name}` }));
    const asked: { sql: string; bindings: readonly unknown[] }[] = [];
    const note = (query: { sql: string; bindings: readonly unknown[] }) => asked.push(query);
    cloud.db.knex.on('query', note);
    const first = (await cloud.admin('GET', '/tenants?limit=2')).json.tenants;
    cloud.db.knex.off('query', note);
    expect(first).toHaveLength(2);
    expect(asked.filter(({ sql }) => /from `tenant`/.test(sql) && !/limit/.test(sql))).toEqual([]);
    const all = (await cloud.admin('GET', '/tenants')).json.tenants.map(({ id }: { id: string }) => id);
    const next = (await cloud.admin('GET', `/tenants?limit=2&marker=${first[1].id}`)).json.tenants;
    expect([...first, ...next].map(({ id }) => id)).toEqual(all.slice(0, 4));
    const token = await cloud.login('p1', { tenant: 'page-p1' });
    await cloud.person('p1', { tenant: 'page-p2' });
    const again = await cloud.login('p1', { tenant: 'page-p1' });
    const own = (await cloud.public('GET', '/tenants', undefined, again)).json.tenants;
    expect(own).toHaveLength(2);
    const after = await cloud.public('GET', `/tenants?marker=${own[0].id}`, undefined, again);
    expect(after.json.tenants).toEqual([own[1]]);
    const foreign = await cloud.public('GET', `/tenants?marker=${people[2]!.tenantId}`, undefined, again);
    expect(foreign.status).toBe(400);
    expect(token).not.toBe(again);
    for (const wrong of ['limit=x', 'limit=-1', `limit=${'9'.repeat(30)}`, 'marker=none']) {
      expect((await cloud.admin('GET', `/tenants?${wrong}`)).status).toBe(400);
    }
  });
});

describe('users', () => {
  it('show their hash when made, and never again', async () => {
    const made = await cloud.admin('POST', '/users', {
      user: { name: 'emil', password: 'pw', email: 'e@x' },
    });
    expect(made.json.user.password).toMatch(/^\$6\$rounds=1000\$/);
    const { id } = made.json.user;
    expect((await cloud.admin('GET', `/users/${id}`)).json.user).toEqual({ id, name: 'emil', email: 'e@x' });
    expect(JSON.stringify((await cloud.admin('GET', '/users')).json)).not.toContain('$6$');
  });

  it('cannot hand over a hash: it is a password like any other', async () => {
    const known = (await cloud.admin('POST', '/users', { user: { name: 'fritz', password: 'pw1' } })).json
      .user.password;
    const made = await cloud.admin('POST', '/users', { user: { name: 'gerd', password: known } });
    expect(made.json.user.password).not.toBe(known);
    const login = async (password: string) =>
      (
        await cloud.public('POST', '/tokens', {
          auth: { passwordCredentials: { username: 'gerd', password } },
        })
      ).status;
    expect([await login('pw1'), await login(known)]).toEqual([401, 200]);
    const endless = `$6$rounds=999999999$abcdefgh$${'a'.repeat(86)}`;
    const changed = await cloud.admin('PUT', `/users/${made.json.user.id}`, { user: { password: endless } });
    expect(changed.json.user.extra.password).toMatch(/^\$6\$rounds=1000\$/);
    expect([await login('wrong'), await login(endless)]).toEqual([401, 200]);
  });

  it('refuse what makes no sense', async () => {
    const cases: [unknown, number][] = [
      [{ name: 'h', password: 5 }, 400],
      [{ name: 'h', password: 'x'.repeat(4097) }, 400],
      [{ name: 'h', tenantId: 'nowhere' }, 404],
      [{ name: 'h', tenantId: 7 }, 400],
      [{ name: 'x'.repeat(65) }, 400],
      [{ password: 'x' }, 400],
    ];
    for (const [user, status] of cases)
      expect((await cloud.admin('POST', '/users', { user })).status).toBe(status);
    expect((await cloud.admin('POST', '/users', { x: 1 })).status).toBe(400);
    expect((await cloud.admin('PUT', '/users/nope', { user: { name: 'x' } })).status).toBe(404);
  });

  it('are changed by six paths', async () => {
    const { userId } = await cloud.person('hanna');
    const { tenantId } = await cloud.person('other');
    for (const path of ['password', 'OS-KSADM/password']) {
      const changed = await cloud.admin('PUT', `/users/${userId}/${path}`, {
        user: { password: `p-${path}` },
      });
      expect(changed.json.user.extra.password).toMatch(/^\$6\$/);
    }
    for (const path of ['enabled', 'OS-KSADM/enabled']) {
      const changed = await cloud.admin('PUT', `/users/${userId}/${path}`, { user: { enabled: false } });
      expect(changed.json.user.extra.enabled).toBe(false);
    }
    for (const path of ['tenant', 'OS-KSADM/tenant']) {
      const changed = await cloud.admin('PUT', `/users/${userId}/${path}`, { user: { tenantId } });
      expect(changed.json.user.extra.tenantId).toBe(tenantId);
    }
    const members = (await cloud.admin('GET', `/tenants/${tenantId}/users`)).json.users as { id: string }[];
    expect(members.map(user => user.id)).toContain(userId);
    const answer = await cloud.admin('PUT', `/users/${userId}`, { user: { id: 'other' } });
    expect([answer.status, message(answer)]).toEqual([400, 'Cannot change user ID']);
  });

  it('change their own password with the old one', async () => {
    const { userId } = await cloud.person('ida');
    const token = await cloud.login('ida');
    const change = (user: unknown, bearer: string | null = token, id = userId) =>
      cloud.public('PATCH', `/OS-KSCRUD/users/${id}`, { user }, bearer);
    expect((await change({ password: 'n', original_password: 'bad' })).status).toBe(401);
    expect((await change({ password: 'n' })).status).toBe(403);
    expect((await change({ password: 'n', original_password: TEST_PASSWORD }, token, 'other')).status).toBe(
      403,
    );
    expect((await change({ original_password: TEST_PASSWORD })).status).toBe(400);
    expect((await change({ password: 'n', original_password: TEST_PASSWORD }, 'bad')).status).toBe(404);
    const done = await change({ password: 'n', original_password: TEST_PASSWORD });
    expect(done.status).toBe(200);
    expect(done.json.access.token).toMatchObject({ key: token, user: { id: userId } });
    expect((await cloud.public('GET', '/tenants', undefined, token)).status).toBe(401);
    expect((await cloud.public('GET', '/tenants', undefined, done.json.access.token.id)).status).toBe(200);
    await cloud.login('ida', { password: 'n' });
  });
});

describe('roles', () => {
  it('are created, given, listed and taken', async () => {
    const { userId, tenantId, roleId } = await cloud.person('jan');
    const path = `/tenants/${tenantId}/users/${userId}/roles`;
    expect((await cloud.admin('GET', path)).json.roles).toEqual([{ id: roleId, name: 'Member' }]);
    const again = await cloud.admin('PUT', `${path}/OS-KSADM/${roleId}`);
    expect([again.status, message(again)]).toEqual([
      409,
      `Conflict occurred attempting to store role grant. User ${userId} already has role ${roleId} in tenant ${tenantId}`,
    ]);
    expect((await cloud.admin('DELETE', `${path}/OS-KSADM/${roleId}`)).status).toBe(204);
    const gone = await cloud.admin('DELETE', `${path}/OS-KSADM/${roleId}`);
    expect([gone.status, message(gone)]).toEqual([
      404,
      `Cannot remove role that has not been granted, ${roleId}`,
    ]);
    expect((await cloud.admin('GET', `/tenants/${tenantId}/users`)).json.users).toEqual([]);
  });

  it('need a tenant to be given in', async () => {
    const { userId, roleId } = await cloud.person('kurt');
    const listed = await cloud.admin('GET', `/users/${userId}/roles`);
    expect([listed.status, message(listed)]).toEqual([501, 'User roles not supported: tenant ID required']);
    expect((await cloud.admin('PUT', `/users/${userId}/roles/OS-KSADM/${roleId}`)).status).toBe(501);
    expect((await cloud.admin('DELETE', `/users/${userId}/roles/OS-KSADM/${roleId}`)).status).toBe(501);
  });

  it('leave nothing behind when giving one fails', async () => {
    const { userId } = await cloud.person('lars');
    const { tenantId } = await cloud.person('lena');
    expect(
      (await cloud.admin('PUT', `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/nope`)).status,
    ).toBe(404);
    const members = (await cloud.admin('GET', `/tenants/${tenantId}/users`)).json.users as { id: string }[];
    expect(members.map(user => user.id)).not.toContain(userId);
  });

  it('have the references of older clients', async () => {
    const { userId, tenantId, roleId } = await cloud.person('mia');
    const [ref] = (await cloud.admin('GET', `/users/${userId}/roleRefs`)).json.roles;
    expect(ref).toMatchObject({ roleId, tenantId, userId });
    expect((await cloud.admin('DELETE', `/users/${userId}/roleRefs/${roleId}`)).status).toBe(400);
    expect(
      (await cloud.admin('DELETE', `/users/${userId}/roleRefs/${encodeURIComponent(ref.id)}`)).status,
    ).toBe(204);
    const made = await cloud.admin('POST', `/users/${userId}/roleRefs`, { role: { tenantId, roleId } });
    expect(made.json.role.id).toBe(roleId);
  });

  it('vanish from grants and tokens when they are deleted', async () => {
    const { userId, tenantId, roleId } = await cloud.person('nils', { role: 'passing' });
    const token = await cloud.login('nils');
    expect((await cloud.admin('DELETE', `/OS-KSADM/roles/${roleId}`)).status).toBe(204);
    expect((await cloud.admin('GET', `/tokens/${token}`)).status).toBe(404);
    expect((await cloud.admin('GET', `/tenants/${tenantId}/users/${userId}/roles`)).json.roles).toEqual([]);
    await cloud.login('nils');
    expect(
      (await cloud.admin('POST', '/OS-KSADM/roles', { role: { name: 'r', colour: 'red' } })).status,
    ).toBe(400);
  });
});
