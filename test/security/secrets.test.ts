import { createHmac } from 'node:crypto';
import { connect } from 'node:net';
import { eventually, freePorts, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type NovaCloud, startNovaCloud } from '../golden/nova-cloud.ts';

/**
 * A whole cloud is used with secrets that carry a mark, rightly and wrongly. Then everything it has written is searched:
 * its log at debug level, what it answered to bad requests, and what it told others over the bus.
 */
const dir = tempDir('secrets');
const lines: string[] = [];
const messages: { topic: string; method: string; args: Record<string, unknown> }[] = [];
/** Bodies and headers of every refusal. */
const refusals: string[] = [];
/** What must never show: marked texts, and whatever the cloud itself handed out. */
const secrets = new Set<string>();
/** What may travel to the host that needs it, and nowhere else. */
const forTheHost = new Set<string>();
let serial = 0;
const mark = (): string => {
  const secret = `MARKED${++serial}secret`;
  secrets.add(secret);
  return secret;
};
/** Keystone says which token it did not find to the administrator who asked for it: recorded. */
const named = new Set<string>();
const echoed = (): string => {
  const secret = mark();
  named.add(secret);
  return secret;
};

let cloud: NovaCloud;
const password = mark();
let token = '';
let tenant = '';
let userId = '';

async function ask(
  port: number,
  method: string,
  path: string,
  options: { body?: unknown; raw?: string; token?: string; headers?: Record<string, string> } = {},
) {
  const payload = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
  const response = await fetch(`http://127.0.0.1:${port}${path}`, {
    method,
    redirect: 'manual',
    headers: {
      'x-auth-token': options.token ?? token,
      ...(payload === undefined ? {} : { 'content-type': 'application/json' }),
      ...options.headers,
    },
    ...(payload === undefined ? {} : { body: payload }),
  });
  const text = await response.text();
  if (response.status >= 400)
    refusals.push(`${method} ${path}: ${response.status} ${text} ${JSON.stringify([...response.headers])}`);
  // biome-ignore lint/suspicious/noExplicitAny: answers of every shape
  let json: any;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  return { status: response.status, text, json, headers: response.headers };
}

const compute = (method: string, path: string, options: Parameters<typeof ask>[3] = {}) =>
  ask(cloud.ports.compute, method, `/v2/${tenant}/${path}`, options);
const identity = (method: string, path: string, options: Parameters<typeof ask>[3] = {}) =>
  ask(cloud.ports.identity, method, `/v2.0/${path}`, options);
const admin = (method: string, path: string, body?: unknown) =>
  ask(cloud.ports.identityAdmin, method, `/v2.0/${path}`, { body, token: 'ADMIN' });
const state = async (id: string) => (await compute('GET', `servers/${id}`)).json.server?.status;

beforeAll(async () => {
  const [identityPort, identityAdmin, image, registry, computePort] = (await freePorts(5)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  cloud = await startNovaCloud({
    dir: dir.path,
    ports: { identity: identityPort, identityAdmin, image, registry, compute: computePort },
    nova: {
      notification_driver: 'nova.openstack.common.notifier.rabbit_notifier',
      notify_on_state_change: 'vm_and_task_state',
    },
    onLine: line => lines.push(line),
    onMessage: message => messages.push(structuredClone(message)),
  });
  tenant = (await admin('POST', '/tenants', { tenant: { name: 'secretive' } })).json.tenant.id;
  const user = { name: 'anna', password, tenantId: tenant, email: 'anna@example.org' };
  userId = (await admin('POST', '/users', { user })).json.user.id;
  const login = { auth: { tenantName: 'secretive', passwordCredentials: { username: 'anna', password } } };
  token = (await identity('POST', 'tokens', { body: login })).json.access.token.id;
  secrets.add(token);
});
afterAll(async () => {
  await cloud?.stop();
  dir.remove();
});

describe('a cloud used with marked secrets', () => {
  it('logs in wrongly, changes passwords, makes and uses EC2 credentials', async () => {
    const wrong = {
      auth: { tenantName: 'secretive', passwordCredentials: { username: 'anna', password: mark() } },
    };
    expect((await identity('POST', 'tokens', { body: wrong })).status).toBe(401);
    await identity('POST', 'tokens', {
      raw: `{"auth": {"passwordCredentials": {"username": "anna", "password": "${mark()}"`,
    });
    await identity('POST', 'tokens', {
      body: { auth: { passwordCredentials: { username: [mark()], password: { a: mark() } } } },
    });
    await identity('POST', 'tokens', {
      raw: `<auth xmlns="http://docs.openstack.org/identity/api/v2.0"><passwordCredentials username="anna" password="${mark()}"`,
      headers: { 'content-type': 'application/xml' },
    });
    await identity('POST', 'tokens', { body: { auth: { token: { id: mark() }, tenantName: 'secretive' } } });
    await admin('GET', `/tokens/${echoed()}`);
    await admin('DELETE', `/tokens/${echoed()}`);
    await ask(cloud.ports.identityAdmin, 'GET', '/v2.0/users', { token: mark() });
    await admin('PUT', `/users/${userId}/OS-KSADM/password`, { user: { password: mark() } });
    await admin('POST', '/users', { user: { name: 'anna', password: mark() } });
    await admin('PUT', `/users/${userId}`, { user: { password } });
    const { credential } = (await admin('POST', `/users/${userId}/credentials/OS-EC2`, { tenant_id: tenant }))
      .json;
    secrets.add(credential.secret);
    const signature = createHmac('sha1', 'wrong').update('x').digest('base64');
    const ec2 = {
      access: credential.access,
      signature,
      host: 'h',
      verb: 'GET',
      path: '/',
      params: { Secret: mark() },
    };
    expect((await identity('POST', 'ec2tokens', { body: { credentials: ec2 } })).status).toBe(401);
    const again = { auth: { tenantName: 'secretive', passwordCredentials: { username: 'anna', password } } };
    token = (await identity('POST', 'tokens', { body: again })).json.access.token.id;
    secrets.add(token);
  });

  it('uploads images, names credentials in locations', async () => {
    const { image } = cloud.ports;
    const headers = {
      'x-image-meta-name': 'i',
      'x-image-meta-disk_format': 'raw',
      'x-image-meta-container_format': 'bare',
    };
    const made = await ask(image, 'POST', '/v1/images', {
      raw: 'bytes',
      headers: { ...headers, 'content-type': 'application/octet-stream', 'x-image-meta-property-key': 'v' },
    });
    expect(made.status).toBe(201);
    for (const name of ['location', 'copy-from']) {
      const header = name === 'location' ? 'x-image-meta-location' : 'x-glance-api-copy-from';
      for (const scheme of ['http', 'swift+http', 's3', 'bogus']) {
        await ask(image, 'POST', '/v1/images', {
          headers: { ...headers, [header]: `${scheme}://user:${mark()}@127.0.0.1:1/bucket/key` },
        });
      }
    }
    await ask(image, 'GET', '/v1/images', { token: mark() });
    await ask(image, 'GET', `/v2/images?marker=x&token=${mark()}`);
    await ask(image, 'GET', '/v1/images/none', { token: mark() });
  });

  /** What was sent must not come back. */
  const refusedBoots = async (imageRef: string) => {
    await compute('POST', 'servers', { raw: `{"server": {"adminPass": "${mark()}", ` });
    await compute('POST', 'servers', {
      body: { server: { name: 'x', imageRef: mark(), flavorRef: '1', adminPass: mark() } },
    });
    await compute('POST', 'servers', {
      body: { server: { name: 'x', imageRef, flavorRef: '1', user_data: `!${mark()}` } },
    });
    await compute('POST', 'servers', {
      body: {
        server: {
          name: 'x',
          imageRef,
          flavorRef: '1',
          personality: [{ path: '/x', contents: `!${mark()}` }],
        },
      },
    });
  };

  it('boots, rescues and rebuilds with passwords, files and user data', async () => {
    const images = await ask(cloud.ports.image, 'GET', '/v1/images');
    const imageRef = images.json.images[0].id as string;
    const hidden = () => {
      const secret = mark();
      forTheHost.add(secret);
      return secret;
    };
    const file = hidden();
    const body = {
      server: {
        name: 'vm',
        imageRef,
        flavorRef: '1',
        adminPass: hidden(),
        user_data: Buffer.from(mark()).toString('base64'),
        personality: [{ path: '/root/key', contents: Buffer.from(file).toString('base64') }],
      },
    };
    secrets.add(body.server.user_data);
    secrets.add(body.server.personality[0]!.contents);
    forTheHost.add(body.server.personality[0]!.contents);
    // Part of the instance, which Folsom sends along.
    forTheHost.add(body.server.user_data);
    const booted = await compute('POST', 'servers', { body });
    expect(booted.status).toBe(202);
    const { id } = booted.json.server;
    await eventually(() => state(id)).toBe('ACTIVE');
    const generated = await compute('POST', 'servers', {
      body: { server: { name: 'other', imageRef, flavorRef: '1' } },
    });
    secrets.add(generated.json.server.adminPass);
    forTheHost.add(generated.json.server.adminPass);
    const key = await compute('POST', 'os-keypairs', { body: { keypair: { name: 'k' } } });
    secrets.add(key.json.keypair.private_key.split('\n')[1]);
    await compute('POST', 'os-keypairs', { body: { keypair: { name: 'bad', public_key: mark() } } });
    await compute('POST', `servers/${id}/action`, { body: { changePassword: { adminPass: hidden() } } });
    await eventually(
      async () => (await compute('GET', `servers/${id}`)).json.server['OS-EXT-STS:task_state'],
    ).toBeNull();
    await compute('POST', `servers/${id}/action`, { body: { rescue: { adminPass: hidden() } } });
    await eventually(() => state(id)).toBe('RESCUE');
    await compute('POST', `servers/${id}/action`, { body: { unrescue: null } });
    await eventually(() => state(id)).toBe('ACTIVE');
    await compute('POST', `servers/${id}/action`, { body: { rebuild: { imageRef, adminPass: hidden() } } });
    await eventually(() => state(id)).toBe('ACTIVE');
    const vnc = await compute('POST', `servers/${id}/action`, {
      body: { 'os-getVNCConsole': { type: 'novnc' } },
    });
    const shown = new URL(vnc.json.console.url).searchParams.get('token')!;
    secrets.add(shown);
    forTheHost.add(shown);
    await refusedBoots(imageRef);
    await compute('POST', `servers/${id}/action`, { body: { changePassword: { adminPass: [mark()] } } });
    await compute('GET', 'servers', { token: mark() });
    await compute('GET', `servers?auth_token=${mark()}`);
    await compute('DELETE', `servers/${id}`);
    await eventually(() => state(id)).toBeUndefined();
  });

  it('is asked with secrets in every place of a request, on every port', async () => {
    const spellings = [
      (secret: string) => `/v2.0/tokens/${secret}`,
      (secret: string) => `/v2.0/tokens/${secret}/x`,
      (secret: string) => `/v2.0/tokens/x/${secret}`,
      (secret: string) => `/v2%2e0/tokens/${secret}`,
      (secret: string) => `/v3/auth/tokens/${secret}`,
      (secret: string) => `/v2.0/Tokens/${secret}`,
      (secret: string) => `/v2.0//tokens//${secret}/`,
      (secret: string) => `/v2.0/tokens%2F${secret}`,
      (secret: string) => `/v2.0/tokens/${secret}/%ff`,
      (secret: string) => `http://h/v2.0/tokens/${secret}`,
      (secret: string) => `http://u:${secret}@h/v2.0/tenants`,
      (secret: string) => `/v2.0/tenants?tokenid=${secret}`,
      (secret: string) => `/v1/AUTH_x/c/o?token=${secret}`,
      (secret: string) => `/v1/images?%74oken=${secret}`,
      (secret: string) => `/v1/AUTH_x/c/o?temp_url_sig=${secret}&temp_url_expires=1`,
      (secret: string) => `/v2/${tenant}/servers?X-Auth-Token=${secret}`,
      (secret: string) => `/services/Cloud?Signature=${secret}&AWSAccessKeyId=a`,
    ];
    const headers = [
      'X-Auth-Token',
      'X-Auth-Key',
      'X-Storage-Token',
      'X-Service-Token',
      'X-Subject-Token',
      'Authorization',
      'Cookie',
      'X-Account-Meta-Temp-URL-Key',
      'X-Container-Sync-Key',
    ];
    const { identity: open, identityAdmin, image, registry, compute: nova } = cloud.ports;
    for (const port of [open, identityAdmin, image, registry, nova]) {
      for (const spelling of spellings) {
        for (const sent of ['ADMIN', token]) {
          await raw(port, `GET ${spelling(mark())} HTTP/1.1\r\nHost: h\r\nX-Auth-Token: ${sent}\r\n`);
        }
      }
      for (const header of headers) {
        await raw(port, `GET /v2.0/tenants HTTP/1.1\r\nHost: h\r\n${header}: ${mark()}\r\n`);
      }
      // No requests at all.
      await raw(port, `GET /v2.0/tokens/${mark()} with blanks HTTP/1.1\r\nX-Auth-Token: ${mark()}\r\n`);
      await raw(port, `${mark()}\r\nX-Auth-Token: ${mark()}\r\n`);
      await raw(port, `GET / HTTP/1.1\r\nHost: h\r\nX-Auth-Token : ${mark()}\r\nX: \u0001\r\n`);
      for (const body of [`{"auth": {"password": "${mark()}"`, `<a password="${mark()}"`]) {
        const head = `POST /v2.0/tokens HTTP/1.1\r\nHost: h\r\nContent-Length: ${body.length}\r\n`;
        await raw(port, `${head}Content-Type: application/json\r\n`, body);
      }
    }
  });

  it('has written none of them: not in its log', () => {
    expect(lines.length).toBeGreaterThan(100);
    const found = [...secrets].filter(secret => lines.some(line => line.includes(secret)));
    expect(found.map(secret => lines.find(line => line.includes(secret)))).toEqual([]);
  });

  it('not in what it answered to whoever was refused', () => {
    expect(refusals.length).toBeGreaterThan(20);
    const found = [...secrets].filter(
      secret => !named.has(secret) && refusals.some(text => leaks(text, secret)),
    );
    expect(found.map(secret => refusals.find(text => leaks(text, secret)))).toEqual([]);
  });

  it('and not on the bus, but to the host that needs it', () => {
    const told = messages.filter(message => message.method === 'notification');
    expect(told.length).toBeGreaterThan(5);
    expect(messages.length).toBeGreaterThan(told.length + 10);
    for (const message of messages) {
      const text = JSON.stringify(message.args);
      const allowed = message.method === 'notification' ? new Set<string>() : forTheHost;
      const found = [...secrets].filter(secret => text.includes(secret) && !allowed.has(secret));
      expect([message.topic, message.method, found]).toEqual([message.topic, message.method, []]);
    }
  });
});

/** Sends bytes as they stand and waits for the end of the connection. */
const raw = (port: number, head: string, body = '') =>
  new Promise<void>((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${head}Connection: close\r\n\r\n${body}`));
    socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer: ${head}`)));
    socket.on('data', () => {});
    socket.on('close', () => resolve());
    socket.on('error', error =>
      (error as NodeJS.ErrnoException).code === 'ECONNRESET' ? resolve() : reject(error),
    );
  });

/** The line of a refusal begins with what was asked: only what follows is the answer. */
const leaks = (text: string, secret: string): boolean => text.slice(text.indexOf(': ') + 2).includes(secret);
