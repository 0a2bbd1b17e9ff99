import { createServer } from 'node:net';
import { createLogger } from '@folsom/core';
import { eventually, type LdapServer, serverMissing, startSlapd } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from '../test-identity.ts';
import { fillDirectory, type TestDirectory } from './test-directory.ts';

describe.skipIf(serverMissing('slapd'))('a directory', () => {
  let server: LdapServer;
  let directory: TestDirectory;
  const lines: string[] = [];
  const log = createLogger({ write: line => lines.push(line), level: 'debug' });
  const clouds: TestIdentity[] = [];
  const start = async (ldap: Record<string, string> = {}) => {
    const { settings } = directory;
    const cloud = await startTestIdentity({
      log,
      settings: { ...settings, ldap: { ...settings.ldap, ...ldap } },
    });
    clouds.push(cloud);
    return cloud;
  };
  const login = (cloud: TestIdentity, name: string, password = TEST_PASSWORD) =>
    cloud.public('POST', '/tokens', { auth: { passwordCredentials: { username: name, password } } });
  const below = (rdn: string) => `${rdn},${server.suffix}`;
  const entry = (dn: string) =>
    directory.as(async client => (await client.search(dn, { scope: 'base' })).searchEntries[0]);

  beforeAll(async () => {
    server = await startSlapd();
    directory = await fillDirectory(server);
  }, 120_000);
  afterAll(async () => {
    for (const cloud of clouds) await cloud.stop();
    await server?.stop();
    // Neither what binds nor anybody's password, whatever went wrong.
    const written = lines.join('\n');
    expect(lines.length).toBeGreaterThan(0);
    for (const secret of [`"${server.rootPassword}"`, TEST_PASSWORD, 'opensesame', '{SSHA}'])
      expect(written).not.toContain(secret);
  });

  it('holds entries as the original lays them out', async () => {
    const cloud = await start();
    const { userId, tenantId, roleId } = await cloud.person('heidi');
    await cloud.admin('PUT', `/users/${userId}`, { user: { email: 'heidi@example.org' } });
    const userDn = below(`cn=${userId},ou=Users`);
    const person = await entry(userDn);
    expect(person).toMatchObject({ cn: userId, sn: 'heidi', mail: 'heidi@example.org' });
    expect(person?.objectClass).toEqual(expect.arrayContaining(['person', 'inetOrgPerson']));
    expect(String(person?.userPassword)).toMatch(/^\{SSHA\}/);
    const group = await entry(below(`cn=${tenantId},ou=Groups`));
    expect(group).toMatchObject({ ou: 'heidi', objectClass: 'groupOfNames' });
    expect(group?.member).toEqual(['cn=dumb,dc=nonexistent', userDn]);
    expect((await entry(below(`cn=${roleId},ou=Roles`)))?.cn).toEqual(
      expect.arrayContaining(['Member', roleId]),
    );
    const grant = await entry(below(`cn=${roleId},cn=${tenantId},ou=Groups`));
    expect(grant).toMatchObject({ objectClass: 'organizationalRole' });
    expect(grant?.roleOccupant).toEqual(expect.arrayContaining([userDn, 'cn=dumb,dc=nonexistent']));
  });

  it('serves people who were there before, by attributes of its own', async () => {
    await directory.as(async client => {
      await client.add(below('ou=People'), { objectClass: 'organizationalUnit', ou: 'People' });
      await client.add(below('uid=ivan,ou=People'), {
        objectClass: ['inetOrgPerson'],
        uid: 'ivan',
        cn: 'Ivan Petrov',
        sn: 'Petrov',
        userPassword: 'opensesame',
        employeeType: 'FALSE',
      });
      await client.add(below('uid=judy,ou=People'), {
        objectClass: ['inetOrgPerson'],
        uid: 'judy',
        cn: 'Judy',
        sn: 'Judy',
        userPassword: 'opensesame',
        title: 'guest',
      });
      await client.add(below('cn=staff,ou=Groups'), {
        objectClass: ['groupOfNames'],
        cn: 'staff',
        ou: 'staff',
        member: below('uid=judy,ou=People'),
      });
    });
    const people = {
      user_tree_dn: below('ou=People'),
      user_id_attribute: 'uid',
      user_name_attribute: 'uid',
      user_enabled_attribute: 'employeeType',
    };
    const cloud = await start(people);
    expect((await login(cloud, 'judy', 'opensesame')).json.access.user).toMatchObject({
      id: 'judy',
      name: 'judy',
    });
    // One of another case is the same entry, and no second id for it.
    expect((await cloud.admin('GET', '/users/JUDY')).status).toBe(404);
    expect((await login(cloud, 'ivan', 'opensesame')).status).toBe(401);
    const on = await cloud.admin('PUT', '/users/ivan/enabled', { user: { enabled: true } });
    expect(on.json.user.extra.enabled).toBe(true);
    const token = (await login(cloud, 'ivan', 'opensesame')).json.access.token.id;
    expect((await cloud.admin('PUT', '/users/ivan/enabled', { user: { enabled: false } })).status).toBe(200);
    expect((await cloud.admin('GET', `/tokens/${token}`)).status).toBe(404);
    const filtered = await start({ ...people, user_filter: '(!(title=guest))', user_allow_update: 'false' });
    expect((await login(filtered, 'judy', 'opensesame')).status).toBe(401);
    expect((await filtered.admin('PUT', '/users/ivan/enabled', { user: { enabled: true } })).status).toBe(
      403,
    );
    // The only member of a group that knows no nobody can be taken out all the same.
    const { id } = (await cloud.admin('POST', '/OS-KSADM/roles', { role: { name: 'staff' } })).json.role;
    const grant = `/tenants/staff/users/judy/roles/OS-KSADM/${id}`;
    expect((await cloud.admin('PUT', grant)).status).toBe(200);
    expect((await cloud.admin('DELETE', grant)).status).toBe(204);
    expect((await cloud.admin('GET', '/tenants/staff/users')).json.users).toEqual([]);
  });

  it('disables by bits where they say so', async () => {
    const cloud = await start({
      user_enabled_attribute: 'employeeNumber',
      user_enabled_mask: '2',
      user_enabled_default: '512',
    });
    const { userId } = await cloud.person('ken');
    const number = async () => (await entry(below(`cn=${userId},ou=Users`)))?.employeeNumber;
    expect([await number(), (await login(cloud, 'ken')).status]).toEqual(['512', 200]);
    await cloud.admin('PUT', `/users/${userId}/enabled`, { user: { enabled: false } });
    expect([await number(), (await login(cloud, 'ken')).status]).toEqual(['514', 401]);
    await cloud.admin('PUT', `/users/${userId}/enabled`, { user: { enabled: true } });
    expect([await number(), (await login(cloud, 'ken')).status]).toEqual(['512', 200]);
  });

  it('says what it cannot do, and does nothing instead of half of it', async () => {
    const cloud = await start();
    const { userId, tenantId } = await cloud.person('lea');
    for (const [path, body, status] of [
      [`/users/${userId}/enabled`, { user: { enabled: false } }, 501],
      [`/tenants/${tenantId}`, { tenant: { enabled: false } }, 501],
      [`/users/${userId}`, { user: { name: 'other' } }, 409],
      [`/tenants/${tenantId}`, { tenant: { name: 'other' } }, 501],
      [`/users/${userId}`, { user: { userPassword: 'x' } }, 400],
      [`/users/${userId}`, { user: { objectClass: 'x' } }, 400],
      [`/users/${userId}`, { user: { email: 'not ascii: é' } }, 400],
    ] as const)
      expect((await cloud.admin('PUT', path, body)).status, path).toBe(status);
    expect((await cloud.admin('POST', '/users', { user: { name: 'max', enabled: false } })).status).toBe(501);
    expect((await cloud.admin('GET', '/users')).text).not.toContain('"max"');
    await cloud.login('lea');
  });

  it('makes no two of one name, however many ask at once', async () => {
    const [one, two] = [await start(), await start()];
    const answers = await Promise.all(
      Array.from({ length: 6 }, (_, at) =>
        (at % 2 ? one : two).admin('POST', '/tenants', { tenant: { name: 'contested' } }),
      ),
    );
    const made = answers.filter(({ status }) => status === 200);
    expect(answers.map(({ status }) => status).filter(status => status !== 200 && status !== 409)).toEqual(
      [],
    );
    const { tenants } = (await one.admin('GET', '/tenants')).json as { tenants: { name: string }[] };
    expect(tenants.filter(({ name }) => name === 'contested')).toHaveLength(made.length);
    expect(made.length).toBeLessThan(2);
  });

  it('that goes away is 503, and is found again when it is back', async () => {
    const cloud = await start({ timeout: '5' });
    await cloud.person('mallory');
    await server.kill();
    const away = await login(cloud, 'mallory');
    expect([away.status, (await cloud.admin('GET', '/users')).status]).toEqual([503, 503]);
    expect((await fetch(`${cloud.publicUrl}/readyz`)).status).toBe(503);
    await server.start();
    await eventually(async () => (await login(cloud, 'mallory')).status).toBe(200);
    await eventually(async () => (await fetch(`${cloud.publicUrl}/readyz`)).status).toBe(200);
  });

  it('that does not answer, or refuses us, is 503 in time', async () => {
    const silent = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise(resolve => silent.once('listening', resolve));
    const { port } = silent.address() as { port: number };
    const hanging = await start({ url: `ldap://127.0.0.1:${port}`, timeout: '1' });
    expect((await login(hanging, 'anybody')).status).toBe(503);
    const refused = await start({ password: 'opensesame2' });
    expect((await login(refused, 'anybody')).status).toBe(503);
    // Of several the first that answers: one refuses, one is silent.
    const last = await start({
      url: `ldap://127.0.0.1:1 ldap://127.0.0.1:${port} ${server.url}`,
      timeout: '2',
    });
    await eventually(async () => (await last.admin('GET', '/users')).status).toBe(200);
    silent.close();
  });

  it.each([
    [{ url: 'ldapi:///run/slapd' }, /url ldapi:.*not supported/],
    [{ url: 'fake://memory' }, /not supported/],
    [{ suffix: 'nonsense' }, /no distinguished name/],
    [{ user_filter: '(broken' }, /user_filter.*no filter/],
    [{ user_name_attribute: 'sn)(x' }, /no name of LDAP/],
  ])('is refused at start with %j', async (ldap, text) => {
    await expect(start(ldap as Record<string, string>)).rejects.toThrow(text);
  });
});
