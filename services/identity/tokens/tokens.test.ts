import { randomUUID } from 'node:crypto';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { createLocalBus } from '@folsom/rpc';
import { eventually, fakeClock, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startTestIdentity, TEST_PASSWORD, type TestIdentity } from '../test-identity.ts';
import type { TokenFormat } from './tokens.ts';

const FORMATS: TokenFormat[] = ['UUID', 'PKI', 'JWT'];

describe.each(FORMATS)('%s tokens', format => {
  let cloud: TestIdentity;
  beforeAll(async () => {
    cloud = await startTestIdentity({ format });
    const { id } = (
      await cloud.admin('POST', '/OS-KSADM/services', {
        'OS-KSADM:service': { name: 'glance', type: 'image' },
      })
    ).json['OS-KSADM:service'];
    await cloud.admin('POST', '/endpoints', {
      endpoint: {
        region: 'r',
        service_id: id,
        publicurl: 'http://i/$(tenant_id)s',
        adminurl: 'a',
        internalurl: 'i',
      },
    });
  });
  afterAll(() => cloud.stop());

  const status = async (token: string) =>
    (await cloud.admin('GET', `/tokens/${encodeURIComponent(token)}`)).status;
  const someone = () => `u-${randomUUID().slice(0, 8)}`;

  it('have the form of their kind and fit into a header', async () => {
    const name = someone();
    await cloud.person(name);
    const token = await cloud.login(name);
    const shape = {
      UUID: /^[0-9a-f]{32}$/,
      PKI: /^MII[A-Za-z0-9+=-]+$/,
      JWT: /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{86}$/,
    };
    expect(token).toMatch(shape[format]);
    if (format === 'JWT') expect(token.length).toBeLessThan(900);
  });

  it('are validated, with belongsTo, HEAD and endpoints', async () => {
    const name = someone();
    const { tenantId, userId, roleId } = await cloud.person(name);
    const token = await cloud.login(name);
    const path = `/tokens/${encodeURIComponent(token)}`;
    const { json } = await cloud.admin('GET', path);
    expect(json.access.token.tenant).toMatchObject({ id: tenantId, name, enabled: true });
    expect(json.access.user).toMatchObject({ id: userId, name, roles: [{ id: roleId, name: 'Member' }] });
    expect(json.access.metadata).toEqual({ is_admin: 0, roles: [roleId] });
    expect(json.access.serviceCatalog[0].endpoints[0].publicURL).toBe(`http://i/${tenantId}`);
    expect((await cloud.admin('GET', `${path}?belongsTo=${tenantId}`)).status).toBe(200);
    expect((await cloud.admin('GET', `${path}?belongsTo=other`)).status).toBe(401);
    expect((await cloud.admin('HEAD', path)).status).toBe(204);
    expect((await cloud.admin('HEAD', '/tokens/nope')).status).toBe(404);
    expect((await cloud.admin('GET', `${path}/endpoints`)).json.endpoints[0]).toMatchObject({
      type: 'image',
    });
    expect((await cloud.admin('GET', path, undefined, token)).status).toBe(403);
    expect((await cloud.admin('GET', path, undefined, null)).status).toBe(401);
    expect(await cloud.running.validator.validate(token)).toMatchObject({
      userId,
      tenantId,
      roles: ['Member'],
    });
  });

  it('keep the first expiry when one is made from another', async () => {
    const name = someone();
    const { tenantId } = await cloud.person(name);
    const first = (
      await cloud.public('POST', '/tokens', {
        auth: { passwordCredentials: { username: name, password: TEST_PASSWORD } },
      })
    ).json.access.token;
    const second = (await cloud.public('POST', '/tokens', { auth: { token: { id: first.id }, tenantId } }))
      .json.access.token;
    expect(second.expires).toBe(first.expires);
    const third = (await cloud.public('POST', '/tokens', { auth: { token: { id: second.id }, tenantId } }))
      .json.access.token;
    expect(third.expires).toBe(first.expires);
    const unknown = await cloud.public('POST', '/tokens', {
      auth: { token: { id: first.id }, tenantName: 'nope' },
    });
    expect([unknown.status, unknown.json.error.message]).toEqual([404, 'Could not find tenant: nope']);
  });

  it('are revoked one by one, once', async () => {
    const name = someone();
    await cloud.person(name);
    const [a, b] = [await cloud.login(name), await cloud.login(name)];
    const path = `/tokens/${encodeURIComponent(a)}`;
    expect((await cloud.admin('DELETE', path)).status).toBe(204);
    expect((await cloud.admin('DELETE', path)).status).toBe(404);
    expect(await status(a)).toBe(404);
    // Two PKI tokens of one second are one token.
    if (a !== b) expect(await status(b)).toBe(200);
  });

  const ends: [string, (cloud: TestIdentity, name: string) => Promise<unknown>][] = [
    [
      'a new password',
      async (cloud, name) => {
        const { userId } = await cloud.person(name);
        await cloud.admin('PUT', `/users/${userId}/OS-KSADM/password`, { user: { password: 'new' } });
      },
    ],
    [
      'disabling the user',
      async (cloud, name) => {
        const { userId } = await cloud.person(name);
        await cloud.admin('PUT', `/users/${userId}`, { user: { enabled: false } });
      },
    ],
    [
      'deleting the user',
      async (cloud, name) => cloud.admin('DELETE', `/users/${(await cloud.person(name)).userId}`),
    ],
    [
      'disabling the tenant',
      async (cloud, name) => {
        const { tenantId } = await cloud.person(name);
        await cloud.admin('POST', `/tenants/${tenantId}`, { tenant: { enabled: false } });
      },
    ],
    [
      'deleting the tenant',
      async (cloud, name) => cloud.admin('DELETE', `/tenants/${(await cloud.person(name)).tenantId}`),
    ],
  ];

  it.each(ends)('end with %s, others live on', async (_what, end) => {
    const [name, other] = [someone(), someone()];
    await cloud.person(name);
    await cloud.person(other);
    const tokens = [await cloud.login(name), await cloud.login(name)];
    const bystander = await cloud.login(other);
    for (const token of tokens) expect(await status(token)).toBe(200);
    await end(cloud, name);
    for (const token of tokens) {
      expect(await status(token)).toBe(404);
      expect(await cloud.running.validator.validate(token)).toBeNull();
      expect((await cloud.public('GET', '/tenants', undefined, token)).status).toBe(401);
    }
    expect(await status(bystander)).toBe(200);
  });

  it('end with a role given or taken in their tenant', async () => {
    const name = someone();
    const { userId, tenantId, roleId } = await cloud.person(name);
    const elsewhere = await cloud.person(name, { tenant: `${name}-2` });
    const role = `/tenants/${tenantId}/users/${userId}/roles/OS-KSADM`;
    const extra = (await cloud.admin('POST', '/OS-KSADM/roles', { role: { name: `${name}-role` } })).json.role
      .id;
    const before = await cloud.login(name);
    const outside = await cloud.login(name, { tenant: `${name}-2` });
    await cloud.admin('PUT', `${role}/${extra}`);
    expect(await status(before)).toBe(404);
    const between = await cloud.login(name);
    expect(await status(between)).toBe(200);
    await cloud.admin('DELETE', `${role}/${extra}`);
    expect(await status(between)).toBe(404);
    await cloud.admin('DELETE', `${role}/${roleId}`);
    expect(await status(outside)).toBe(200);
    expect(elsewhere.tenantId).not.toBe(tenantId);
  });
});

describe.each(FORMATS)('%s tokens and time', format => {
  it('expire; an expired one may still be deleted', async () => {
    const clock = fakeClock();
    const cloud = await startTestIdentity({ format, clock, settings: { token: { expiration: '60' } } });
    try {
      await cloud.person('anna');
      // What was granted just now ends tokens of this millisecond; the next ones begin a second later.
      await clock.advance(1000);
      const token = await cloud.login('anna');
      const path = `/tokens/${encodeURIComponent(token)}`;
      await clock.advance(59_999);
      expect((await cloud.admin('GET', path)).status).toBe(200);
      // Over in that moment, not after it.
      await clock.advance(1);
      expect((await cloud.admin('GET', path)).status).toBe(404);
      expect((await cloud.admin('HEAD', path)).status).toBe(404);
      expect((await cloud.public('GET', '/tenants', undefined, token)).status).toBe(401);
      expect((await cloud.public('POST', '/tokens', { auth: { token: { id: token } } })).status).toBe(401);
      expect((await cloud.admin('DELETE', path)).status).toBe(204);
    } finally {
      await cloud.stop();
    }
  });
});

describe('revocations', () => {
  it('survive a restart', async () => {
    const dir = tempDir('identity-restart');
    const keys = { signing: { jwt_key_dir: `${dir.path}/keys` } };
    const connection = `sqlite:///${dir.path}/keystone.db`;
    const first = await startTestIdentity({ format: 'JWT', connection, settings: keys });
    const { userId } = await first.person('anna');
    await first.person('bert');
    const [ended, alive] = [await first.login('anna'), await first.login('bert')];
    await first.admin('PUT', `/users/${userId}`, { user: { password: 'other' } });
    await first.stop();
    const second = await startTestIdentity({ format: 'JWT', connection, settings: keys });
    try {
      expect((await second.admin('GET', `/tokens/${ended}`)).status).toBe(404);
      expect((await second.admin('GET', `/tokens/${alive}`)).status).toBe(200);
    } finally {
      await second.stop();
      dir.remove();
    }
  });

  it('outlive a change to a shorter life of tokens', async () => {
    const dir = tempDir('identity-shorter');
    const clock = fakeClock();
    const connection = `sqlite:///${dir.path}/keystone.db`;
    const start = (expiration: string) =>
      startTestIdentity({
        ...{ format: 'JWT', connection, clock },
        settings: { signing: { jwt_key_dir: `${dir.path}/keys` }, token: { expiration } },
      });
    const first = await start('86400');
    const { userId } = await first.person('anna');
    const token = await first.login('anna');
    await first.stop();
    const second = await start('60');
    try {
      await second.admin('PUT', `/users/${userId}`, { user: { password: 'other' } });
      // Long enough for a tidy-up; the token itself would live for most of a day.
      await clock.advance(3 * 60 * 60_000);
      expect((await second.admin('GET', `/tokens/${token}`)).status).toBe(404);
    } finally {
      await second.stop();
      dir.remove();
    }
  });

  it('reach another process on the same database within a second, whatever the format', async () => {
    for (const format of ['UUID', 'JWT'] as const) {
      const dir = tempDir('identity-two');
      const keys = { signing: { jwt_key_dir: `${dir.path}/keys` } };
      const connection = `sqlite:///${dir.path}/keystone.db`;
      const one = await startTestIdentity({ format, connection, settings: keys });
      const two = await startTestIdentity({ format, connection, settings: keys });
      try {
        const { userId } = await one.person('anna');
        const token = await one.login('anna');
        expect((await two.admin('GET', `/tokens/${token}`)).status).toBe(200);
        await one.admin('PUT', `/users/${userId}`, { user: { enabled: false } });
        await eventually(async () => (await two.admin('GET', `/tokens/${token}`)).status).toBe(404);
      } finally {
        await two.stop();
        await one.stop();
        dir.remove();
      }
    }
  });

  it('find tokens that the original wrote', async () => {
    const dir = tempDir('identity-adopted');
    const connection = `sqlite:///${dir.path}/keystone.db`;
    const first = await startTestIdentity({ connection });
    const { userId } = await first.person('anna');
    const token = await first.login('anna');
    // As the original stores it: without our times and our table.
    const row = (await first.db.knex('token').where({ id: token }).first())!;
    const { issued_at: _at, expires_at: _until, ...extra } = JSON.parse(row.extra!);
    await first.db
      .knex('token')
      .where({ id: token })
      .update({ extra: JSON.stringify(extra) });
    for (const own of ['token_owner', 'revocation', 'progress']) {
      await first.db.knex.schema.dropTable(`folsom_${own}`);
    }
    await first.stop();
    const second = await startTestIdentity({ connection });
    try {
      expect((await second.admin('GET', `/tokens/${token}`)).status).toBe(200);
      await eventually(() => second.db.knex('folsom_token_owner').where({ token_id: token })).toHaveLength(1);
      await second.admin('PUT', `/users/${userId}`, { user: { enabled: false } });
      expect((await second.admin('GET', `/tokens/${token}`)).status).toBe(404);
      expect(await second.db.knex('token').where({ id: token, valid: 0 })).toHaveLength(1);
    } finally {
      await second.stop();
      dir.remove();
    }
  });

  it('go over the bus at once', async () => {
    const bus = createLocalBus({ clock: systemClock, random: systemRandom, log: silentLogger });
    const told: unknown[] = [];
    await bus.serve({
      topic: 'identity',
      host: 'elsewhere',
      handlers: { tokens_revoked: (_context, args) => void told.push(args) },
    });
    const cloud = await startTestIdentity({ format: 'JWT', bus });
    try {
      const { userId } = await cloud.person('anna');
      told.length = 0;
      await cloud.admin('DELETE', `/users/${userId}`);
      await eventually(() => told).toMatchObject([{ revocations: [{ kind: 'user', subject: userId }] }]);
    } finally {
      await cloud.stop();
      await bus.close();
    }
  });

  it('are listed for old middleware, signed, until they expire', async () => {
    const cloud = await startTestIdentity({ format: 'PKI' });
    try {
      await cloud.person('anna');
      const token = await cloud.login('anna');
      await cloud.admin('DELETE', `/tokens/${encodeURIComponent(token)}`);
      const { signed } = (await cloud.admin('GET', '/tokens/revoked')).json;
      expect(signed).toMatch(/^-----BEGIN CMS-----\n/);
      const text = Buffer.from(signed.replace(/-----.*-----|\n/g, ''), 'base64').toString('latin1');
      expect(text).toMatch(/\{"revoked":\[\{"expires":"[^"]+","id":"[0-9a-f]{32}"\}\]\}/);
    } finally {
      await cloud.stop();
    }
  });
});
