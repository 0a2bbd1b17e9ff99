import { createHmac, randomUUID } from 'node:crypto';
import { systemClock } from '@folsom/core';
import { startTestIdentity, TEST_ADMIN_TOKEN, type TestIdentity } from '@folsom/identity/testing';
import { fakeClock } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

// Published holes of keystone's key pairs and signed requests, by their numbers in the list of advisories.

const someone = () => `u-${randomUUID().slice(0, 12)}`;

let cloud: TestIdentity;
beforeAll(async () => {
  cloud = await startTestIdentity();
});
afterAll(() => cloud.stop());

/** A key pair of the user, and signing with it. */
async function ec2Pair(at: TestIdentity, name: string) {
  const { userId, tenantId } = await at.person(name);
  const { credential } = (
    await at.admin('POST', `/users/${userId}/credentials/OS-EC2`, { tenant_id: tenantId })
  ).json;
  const sign = (time: string, as: 'Timestamp' | 'Expires' = 'Timestamp', Action = 'DescribeInstances') => {
    const params: Record<string, string> = {
      AWSAccessKeyId: credential.access,
      Action,
      SignatureMethod: 'HmacSHA256',
      SignatureVersion: '2',
      [as]: time,
    };
    const query = Object.keys(params)
      .sort()
      .map(key => `${key}=${encodeURIComponent(params[key]!)}`)
      .join('&');
    const signature = createHmac('sha256', credential.secret)
      .update(`POST\n127.0.0.1:8773\n/services/Cloud\n${query}`)
      .digest('base64');
    return {
      access: credential.access,
      signature,
      host: '127.0.0.1:8773',
      verb: 'POST',
      path: '/services/Cloud',
      params,
    };
  };
  const ask = (credentials: unknown, token: string | null = TEST_ADMIN_TOKEN) =>
    at.public('POST', '/ec2tokens', { credentials }, token);
  return { userId, tenantId, credential, sign, ask };
}

const ago = (seconds: number) =>
  `${new Date(systemClock.now() - seconds * 1000).toISOString().slice(0, 19)}Z`;

describe('EC2 and S3', () => {
  it('7: a pair ends with the stay in its tenant', async () => {
    const pair = await ec2Pair(cloud, someone());
    expect((await pair.ask(pair.sign(ago(10)))).status).toBe(200);
    const path = `/tenants/${pair.tenantId}/users/${pair.userId}/roles`;
    for (const role of (await cloud.admin('GET', path)).json.roles) {
      await cloud.admin('DELETE', `${path}/OS-KSADM/${role.id}`);
    }
    expect((await pair.ask(pair.sign(ago(30)))).status).toBe(401);
  });

  it('11: a disabled user or tenant has no use of a pair', async () => {
    const pair = await ec2Pair(cloud, someone());
    await cloud.admin('PUT', `/users/${pair.userId}`, { user: { enabled: false } });
    expect((await pair.ask(pair.sign(ago(10)))).status).toBe(401);
    await cloud.admin('PUT', `/users/${pair.userId}`, { user: { enabled: true } });
    expect((await pair.ask(pair.sign(ago(30)))).status).toBe(200);
    await cloud.admin('PUT', `/tenants/${pair.tenantId}`, { tenant: { enabled: false } });
    expect((await pair.ask(pair.sign(ago(50)))).status).toBe(401);
  });

  it('22: a token for a pair has exactly the roles its user has there', async () => {
    const name = someone();
    const pair = await ec2Pair(cloud, name);
    await cloud.person(name, { tenant: 'elsewhere', role: 'admin' });
    const { json } = await pair.ask(pair.sign(ago(10)));
    expect(json.access.token.tenant.id).toBe(pair.tenantId);
    expect(json.access.user.roles.map((role: { name: string }) => role.name)).toEqual(['Member']);
  });

  it('30: a signed request is too old after 15 minutes, and good for one use', async () => {
    const pair = await ec2Pair(cloud, someone());
    expect((await pair.ask(pair.sign(ago(16 * 60)))).status).toBe(401);
    expect((await pair.ask(pair.sign(ago(-16 * 60)))).status).toBe(401);
    const request = pair.sign(ago(14 * 60));
    expect((await pair.ask(request)).status).toBe(200);
    expect((await pair.ask(request)).status).toBe(401);
    expect((await pair.ask({ ...request, signature: `${request.signature.slice(0, -2)}A=` })).status).toBe(
      401,
    );
  });

  it('30: what only reads may come again for a minute, what changes something for two seconds', async () => {
    const clock = fakeClock();
    const at = await startTestIdentity({ clock });
    try {
      const pair = await ec2Pair(at, someone());
      const now = () => `${new Date(clock.now()).toISOString().slice(0, 19)}Z`;
      const again = async (action: string, seconds: number) => {
        const request = pair.sign(now(), 'Timestamp', action);
        const first = (await pair.ask(request)).status;
        await clock.advance(seconds * 1000);
        return [first, (await pair.ask(request)).status];
      };
      for (const action of ['DescribeInstances', 'GetConsoleOutput']) {
        expect(await again(action, 50), action).toEqual([200, 200]);
        expect(await again(action, 62), action).toEqual([200, 401]);
      }
      for (const action of [
        'RunInstances',
        'CreateVolume',
        'Describer',
        'describeInstances',
        'TerminateInstances',
      ]) {
        expect(await again(action, 1), action).toEqual([200, 200]);
        expect(await again(action, 4), action).toEqual([200, 401]);
      }
      // A signature of version 0 leaves open whose instances are asked for.
      const params = { Action: 'DescribeInstances', SignatureVersion: '0', Timestamp: now() };
      const text = `${params.Action}${params.Timestamp}`;
      const signature = createHmac('sha1', pair.credential.secret).update(text).digest('base64');
      const loose = { ...pair.sign(now()), signature, params };
      expect((await pair.ask(loose)).status).toBe(200);
      await clock.advance(4_000);
      expect((await pair.ask(loose)).status).toBe(401);
    } finally {
      await at.stop();
    }
  });

  it('30: one that says until when it is good is not good in that moment, nor for longer than 15 minutes', async () => {
    const clock = fakeClock();
    const at = await startTestIdentity({ clock });
    try {
      const pair = await ec2Pair(at, someone());
      const ask = async (until: number) =>
        (await pair.ask(pair.sign(new Date(until).toISOString(), 'Expires'))).status;
      expect(await ask(clock.now())).toBe(401);
      expect(await ask(clock.now() + 1)).toBe(200);
      expect(await ask(clock.now() + 15 * 60_000)).toBe(200);
      expect(await ask(clock.now() + 15 * 60_000 + 1)).toBe(401);
    } finally {
      await at.stop();
    }
  });

  it('31: user and tenant of a pair never change', async () => {
    const pair = await ec2Pair(cloud, someone());
    const path = `/users/${pair.userId}/credentials/OS-EC2`;
    for (const method of ['PUT', 'PATCH', 'POST']) {
      const answer = await cloud.admin(method, `${path}/${pair.credential.access}`, {
        user_id: 'x',
        tenant_id: 'x',
      });
      expect(answer.status).toBe(404);
    }
    const other = await cloud.person(someone());
    const sly = await cloud.admin('POST', path, { tenant_id: pair.tenantId, user_id: other.userId });
    expect(sly.status).toBe(400);
    expect((await cloud.admin('GET', `${path}/${pair.credential.access}`)).json.credential).toEqual(
      pair.credential,
    );
    // Nor are they shown through somebody else's path.
    const foreign = `/users/${other.userId}/credentials/OS-EC2/${pair.credential.access}`;
    expect((await cloud.admin('GET', foreign)).status).toBe(401);
    expect((await cloud.admin('DELETE', foreign)).status).toBe(401);
  });

  it('32: only services may trade a signed request for a token', async () => {
    const name = someone();
    const pair = await ec2Pair(cloud, name);
    const request = pair.sign(ago(10));
    expect((await pair.ask(request, null)).status).toBe(401);
    expect((await pair.ask(request, 'bad')).status).toBe(401);
    expect((await pair.ask(request, await cloud.login(name))).status).toBe(403);
    const s3 = { access: pair.credential.access, token: 'R0VUCgoK', signature: 'x' };
    expect((await cloud.admin('POST', '/s3tokens', { credentials: s3 }, null)).status).toBe(401);
    await cloud.person('svc', { role: 'admin', tenant: 'service' });
    expect((await pair.ask(request, await cloud.login('svc', { tenant: 'service' }))).status).toBe(200);
  });

  it('32: an old deployment may switch that off', async () => {
    const open = await startTestIdentity({
      settings: { ec2: { require_service_caller: 'false', signature_max_age: '0' } },
    });
    try {
      const pair = await ec2Pair(open, 'anna');
      const request = pair.sign('2013-01-01T00:00:00Z');
      expect((await pair.ask(request, null)).status).toBe(200);
      expect((await pair.ask(request, null)).status).toBe(200);
    } finally {
      await open.stop();
    }
  });
});
