import { randomUUID } from 'node:crypto';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from '@folsom/identity/testing';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Published holes of keystone's tokens, by their numbers in the list of advisories, for every format of a token.

const FORMATS = ['UUID', 'PKI', 'JWT'] as const;
const someone = () => `u-${randomUUID().slice(0, 12)}`;
const tokenPath = (token: string) => `/tokens/${encodeURIComponent(token)}`;

const tryLogin = (at: TestIdentity, username: string, password: string, tenantName?: string) =>
  at.public('POST', '/tokens', {
    auth: { passwordCredentials: { username, password }, ...(tenantName ? { tenantName } : {}) },
  });

describe.skipIf(serverMissing('mariadb'))('on MariaDB', () => {
  let maria: MariaDb;
  beforeAll(async () => {
    maria = await startMariaDb();
  });
  afterAll(() => maria?.stop());
  const connectionFor = async () => maria.createDatabase(`k_${randomUUID().slice(0, 8)}`);

  it.each(FORMATS)(
    '20, 25: %s tokens are issued, renewed and revoked within one second, to the millisecond',
    async format => {
      const connection = await connectionFor();
      const first = await startTestIdentity({ format, connection });
      const { userId } = await first.person('anna');
      const token = await first.login('anna');
      const seen = await first.running.validator.validate(token);
      const { json } = await tryLogin(first, 'anna', TEST_PASSWORD, 'anna');
      expect(seen?.expiresAt).toBe(seen!.issuedAt! + 86_400_000);
      if (format === 'UUID') {
        // From the database, as another process reads it.
        const row = (await first.db.knex('token').where({ id: token }).first())!;
        expect(JSON.parse(row.extra!)).toMatchObject({
          issued_at: seen!.issuedAt,
          expires_at: seen!.expiresAt,
        });
      }
      await first.admin('PUT', `/users/${userId}`, { user: { password: 'next' } });
      const next = (await tryLogin(first, 'anna', 'next', 'anna')).json.access.token.id;
      expect((await first.admin('GET', tokenPath(token))).status).toBe(404);
      expect((await first.admin('GET', tokenPath(json.access.token.id))).status).toBe(404);
      expect((await first.admin('GET', tokenPath(next))).status).toBe(200);
      await first.stop();
    },
  );
});

describe.each(FORMATS)('%s tokens', format => {
  let at: TestIdentity;
  beforeAll(async () => {
    at = await startTestIdentity({ format });
  });
  afterAll(() => at.stop());
  const alive = async (token: string) => (await at.admin('GET', tokenPath(token))).status === 200;

  it('2, 8: renewing never pushes the end forward, and renewed tokens end with the rest', async () => {
    const name = someone();
    const { userId, tenantId } = await at.person(name);
    let { id, expires } = (await tryLogin(at, name, TEST_PASSWORD)).json.access.token;
    const first = expires;
    const chain = [id];
    for (let i = 0; i < 3; i++) {
      ({ id, expires } = (
        await at.public('POST', '/tokens', { auth: { token: { id }, tenantId } })
      ).json.access.token);
      expect(expires).toBe(first);
      chain.push(id);
    }
    await at.admin('PUT', `/users/${userId}`, { user: { password: 'other' } });
    for (const token of chain) expect(await alive(token)).toBe(false);
    const renewed = await at.public('POST', '/tokens', { auth: { token: { id: chain[0] }, tenantId } });
    expect(renewed.status).toBe(401);
  });

  it('4: a removed role takes every token of that user and tenant with it', async () => {
    const name = someone();
    const { userId, tenantId, roleId } = await at.person(name, { role: 'admin' });
    await at.person(name, { role: 'Member' });
    const token = await at.login(name);
    expect((await at.admin('GET', '/users', undefined, token)).status).toBe(200);
    await at.admin('DELETE', `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`);
    expect((await at.admin('GET', '/users', undefined, token)).status).toBe(401);
    expect((await at.admin('GET', '/users', undefined, await at.login(name))).status).toBe(403);
  });

  it('6: a disabled tenant gives no tokens, and those it gave are dead', async () => {
    const name = someone();
    const { tenantId } = await at.person(name);
    const unscoped = (await tryLogin(at, name, TEST_PASSWORD)).json.access.token.id;
    const token = await at.login(name);
    await at.admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: false } });
    expect(await alive(token)).toBe(false);
    expect((await tryLogin(at, name, TEST_PASSWORD, name)).status).toBe(401);
    const rescoped = await at.public('POST', '/tokens', { auth: { token: { id: unscoped }, tenantId } });
    expect(rescoped.status).toBe(401);
    expect(await alive(unscoped)).toBe(true);
    await at.admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: true } });
    expect(await alive(token)).toBe(false);
    expect(await alive(await at.login(name))).toBe(true);
  });

  it('12: a revoked token is not found, by GET and by HEAD', async () => {
    const name = someone();
    await at.person(name);
    const token = await at.login(name);
    await at.admin('DELETE', tokenPath(token));
    expect((await at.admin('GET', tokenPath(token))).status).toBe(404);
    expect((await at.admin('HEAD', tokenPath(token))).status).toBe(404);
  });

  it('14: a deleted user leaves no living token', async () => {
    const name = someone();
    const { userId } = await at.person(name);
    const tokens = [await at.login(name), (await tryLogin(at, name, TEST_PASSWORD)).json.access.token.id];
    await at.admin('DELETE', `/users/${userId}`);
    for (const token of tokens) expect(await alive(token)).toBe(false);
    // The same name again is somebody else.
    await at.person(name);
    for (const token of tokens) expect(await alive(token)).toBe(false);
  });

  it('29: no other spelling of a revoked token is accepted', async () => {
    const name = someone();
    await at.person(name);
    const token = await at.login(name);
    await at.admin('DELETE', tokenPath(token));
    const last = token.at(-1)!;
    const spellings = [
      token,
      `${token} `,
      `${token}=`,
      `${token}==`,
      `${token}\n`,
      token.toUpperCase(),
      token.replaceAll('-', '/'),
      token.replaceAll('-', '+'),
      ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
        .split('')
        .filter(char => char !== last)
        .map(char => token.slice(0, -1) + char),
    ];
    for (const spelling of spellings) expect(await alive(spelling)).toBe(false);
  });

  it('23: whatever happened before, revoking finds every token concerned and no other', async () => {
    const users = [someone(), someone()];
    const tenants = [someone(), someone()];
    // One role for a tenant, so that deleting it concerns some and not all.
    const ids: Record<string, { userId: string; tenantId: string; roleId: string }> = {};
    const grantAll = async () => {
      for (const user of users) {
        for (const tenant of tenants)
          ids[`${user} ${tenant}`] = await at.person(user, { tenant, role: `of-${tenant}` });
      }
    };
    await grantAll();
    interface Live {
      token: string;
      user: string;
      tenant: string;
    }
    let live: Live[] = [];
    const pick = fc.integer({ min: 0, max: 1 });
    const step = fc.oneof(
      fc.record({ kind: fc.constant('login' as const), user: pick, tenant: pick }),
      fc.record({ kind: fc.constant('rescope' as const), user: pick, tenant: pick }),
      fc.record({
        kind: fc.constantFrom('user' as const, 'tenant' as const, 'grant' as const, 'role' as const),
        user: pick,
        tenant: pick,
      }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 6, maxLength: 14 }), async steps => {
        for (const { kind, user: u, tenant: t } of steps) {
          const [user, tenant] = [users[u]!, tenants[t]!];
          const { userId, tenantId, roleId } = ids[`${user} ${tenant}`]!;
          if (kind === 'login') {
            live.push({ token: await at.login(user, { tenant }), user, tenant });
          } else if (kind === 'rescope') {
            const from = live.find(item => item.user === user);
            if (!from) continue;
            const body = { auth: { token: { id: from.token }, tenantId } };
            live.push({
              token: (await at.public('POST', '/tokens', body)).json.access.token.id,
              user,
              tenant,
            });
          } else if (kind === 'user') {
            await at.admin('PUT', `/users/${userId}/OS-KSADM/password`, {
              user: { password: TEST_PASSWORD },
            });
            live = live.filter(item => item.user !== user);
          } else if (kind === 'tenant') {
            await at.admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: false } });
            await at.admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: true } });
            live = live.filter(item => item.tenant !== tenant);
          } else if (kind === 'role') {
            await at.admin('DELETE', `/OS-KSADM/roles/${roleId}`);
            // The next one of that name is another role.
            await grantAll();
            live = live.filter(item => item.tenant !== tenant);
          } else {
            const path = `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM/${roleId}`;
            await at.admin('DELETE', path);
            await at.admin('PUT', path);
            live = live.filter(item => item.user !== user || item.tenant !== tenant);
          }
          for (const item of live) expect(await alive(item.token)).toBe(true);
        }
        const gone = live.splice(0);
        for (const user of users) {
          const { userId } = ids[`${user} ${tenants[0]}`]!;
          await at.admin('PUT', `/users/${userId}/OS-KSADM/password`, { user: { password: TEST_PASSWORD } });
        }
        for (const item of gone) expect(await alive(item.token)).toBe(false);
      }),
      { numRuns: 5 },
    );
  });
});
