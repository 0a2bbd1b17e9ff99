import { createHash, randomBytes } from 'node:crypto';
import { rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { silentLogger, systemClock, systemRandom, type World } from '@folsom/core';
import { dbSync, openDatabase } from '@folsom/db';
import { startObjectStorage } from '@folsom/deploy/object-storage';
import { identityOptions, startIdentity } from '@folsom/identity';
import { freePorts, type RunningProgram, startProgram, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const world: World = { clock: systemClock, random: systemRandom, log: silentLogger };
/** What glance calls a megabyte, and here the size from which images are cut and the size of a segment. */
const MEGABYTE = 1000 * 1024;
const DATA = randomBytes(3 * MEGABYTE + 12_345);

const headers = (more: Record<string, string> = {}): Record<string, string> => ({
  'x-image-meta-name': 'in swift',
  'x-image-meta-disk_format': 'raw',
  'x-image-meta-container_format': 'bare',
  'content-type': 'application/octet-stream',
  ...more,
});

interface ImageShown {
  id: string;
  status: string;
  size: number;
  checksum: string;
}

/** The images are in swift, in segments of a megabyte. */
const glanceConf = ({
  port,
  connection,
  scrubber,
  publicPort,
}: {
  port: number;
  connection: string;
  scrubber: string;
  publicPort: number;
}): string =>
  [
    '[DEFAULT]',
    'bind_host = 127.0.0.1',
    `bind_port = ${port}`,
    `sql_connection = ${connection}`,
    'registry_client_protocol = local',
    `scrubber_datadir = ${scrubber}`,
    'default_store = swift',
    `swift_store_auth_address = http://127.0.0.1:${publicPort}/v2.0/`,
    'swift_store_user = service:swift',
    'swift_store_key = secret/key',
    'swift_store_container = images',
    'swift_store_create_container_on_put = True',
    'swift_store_large_object_size = 1',
    'swift_store_large_object_chunk_size = 1',
    '',
  ].join('\n');

/** The user, role and endpoint of swift as a walk-through makes them: `service:swift`, an administrator. Gives its tenant's id. */
async function makeSwiftUser(adminPort: number, proxy: number): Promise<string> {
  const made = async (path: string, body: unknown): Promise<string> => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/v2.0/${path}`, {
      method: 'POST',
      headers: { 'x-auth-token': 'bootstrap', 'content-type': 'application/json' },
      body: JSON.stringify(body),
    });
    expect(answer.status, path).toBe(200);
    return Object.values((await answer.json()) as Record<string, { id: string }>)[0]!.id;
  };
  const tenant = await made('tenants', { tenant: { name: 'service' } });
  const user = await made('users', { user: { name: 'swift', password: 'secret/key', tenantId: tenant } });
  const role = await made('OS-KSADM/roles', { role: { name: 'admin' } });
  const granted = await fetch(
    `http://127.0.0.1:${adminPort}/v2.0/tenants/${tenant}/users/${user}/roles/OS-KSADM/${role}`,
    { method: 'PUT', headers: { 'x-auth-token': 'bootstrap' } },
  );
  expect(granted.status).toBe(200);
  const service = await made('OS-KSADM/services', {
    'OS-KSADM:service': { name: 'swift', type: 'object-store' },
  });
  const url = `http://127.0.0.1:${proxy}/v1/AUTH_$(tenant_id)s`;
  await made('endpoints', {
    endpoint: { region: 'regionOne', service_id: service, publicurl: url, internalurl: url, adminurl: url },
  });
  return tenant;
}

// Keystone and an object store of three devices in this process, glance-api as a program, configured as a walk-through of
// Folsom's time has it: default_store = swift, swift_store_user = service:swift.
describe('glance with its images in the object store', () => {
  const place = tempDir('image-store');
  const closing: (() => Promise<unknown>)[] = [];
  let api: RunningProgram;
  let port: number;
  let base: string;
  let start: () => Promise<RunningProgram>;
  /** Names in the container of the images, or null when there is no container. */
  let stored: () => Promise<string[] | null>;

  beforeAll(async () => {
    const ports = await freePorts(7);
    const [publicPort = 0, adminPort = 0, proxy = 0, account = 0, container = 0, object = 0] = ports;
    port = ports[6]!;
    base = `http://127.0.0.1:${port}`;
    const keystone = await openDatabase({ connection: `sqlite:///${join(place.path, 'keystone.sqlite')}` });
    await dbSync(keystone, 'keystone');
    const identity = await startIdentity({
      config: configFrom([...identityOptions], {
        DEFAULT: { admin_token: 'bootstrap', bind_host: '127.0.0.1', crypt_strength: '1000' },
        token: { driver: 'keystone.token.backends.sql.Token' },
      }),
      db: keystone,
      bus: null,
      world,
      ports: { public: publicPort, admin: adminPort },
      bindHost: '127.0.0.1',
    });
    closing.push(
      () => keystone.close(),
      () => identity.stop(),
    );
    const tenant = await makeSwiftUser(adminPort, proxy);
    const storage = await startObjectStorage({
      stateDir: join(place.path, 'swift'),
      devices: 3,
      replicas: 3,
      host: '127.0.0.1',
      ports: { proxy, account, container, object },
      validator: identity.validator,
      world,
      daemons: false,
    });
    closing.push(() => storage.stop());

    const login = await fetch(`http://127.0.0.1:${publicPort}/v2.0/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({
        auth: { tenantName: 'service', passwordCredentials: { username: 'swift', password: 'secret/key' } },
      }),
    });
    const { access } = (await login.json()) as { access: { token: { id: string } } };
    stored = async () => {
      const answer = await fetch(`http://127.0.0.1:${proxy}/v1/AUTH_${tenant}/images`, {
        headers: { 'x-auth-token': access.token.id },
      });
      const text = await answer.text();
      return answer.status === 404 ? null : text.split('\n').filter(name => name !== '');
    };

    const connection = `sqlite:///${join(place.path, 'glance.sqlite')}`;
    const glance = await openDatabase({ connection });
    await dbSync(glance, 'glance');
    await glance.close();
    const conf = join(place.path, 'glance-api.conf');
    await writeFile(
      conf,
      glanceConf({ port, connection, scrubber: join(place.path, 'scrubber'), publicPort }),
    );
    start = () =>
      startProgram('glance-api', ['--config-file', conf], {
        logFile: join(place.path, 'api.log'),
        ports: [{ host: '127.0.0.1', port }],
        timeoutMs: 60_000,
      });
    api = await start();
  }, 240_000);
  afterAll(async () => {
    await api?.stop();
    for (const close of closing.reverse()) await close();
    await rm(place.path, { recursive: true, force: true });
  });

  const create = async (body: Buffer | ReadableStream, more: Record<string, string> = {}) => {
    const answer = await fetch(`${base}/v1/images`, {
      method: 'POST',
      headers: headers(more),
      body,
      duplex: 'half',
    } as RequestInit);
    const text = await answer.text();
    expect(answer.status, text).toBe(201);
    return (JSON.parse(text) as { image: ImageShown }).image;
  };
  const expectWhole = async (image: ImageShown, bytes: Buffer) => {
    expect(image).toMatchObject({
      status: 'active',
      size: bytes.byteLength,
      checksum: createHash('md5').update(bytes).digest('hex'),
    });
    for (const path of [`/v1/images/${image.id}`, `/v2/images/${image.id}/file`]) {
      const got = await fetch(base + path);
      expect([path, got.status]).toEqual([path, 200]);
      expect(Buffer.from(await got.arrayBuffer()).equals(bytes)).toBe(true);
    }
  };
  const remove = async (id: string) => {
    expect((await fetch(`${base}/v1/images/${id}`, { method: 'DELETE' })).status).toBe(200);
  };

  it('keeps a small image as one object, in a container made for it, and removes it', async () => {
    expect(await stored()).toBeNull();
    const small = DATA.subarray(0, MEGABYTE - 1);
    const image = await create(small);
    expect(await stored()).toEqual([image.id]);
    await expectWhole(image, small);
    await remove(image.id);
    expect(await stored()).toEqual([]);
  });

  it.each([
    ['of known size', () => DATA],
    ['of unknown size', () => new Blob([DATA]).stream()],
  ])('keeps a large image %s in segments, and removes them all', async (_how, body) => {
    const image = await create(body());
    expect(await stored()).toEqual([image.id, ...[1, 2, 3, 4].map(n => `${image.id}-0000${n}`)]);
    await expectWhole(image, DATA);
    await remove(image.id);
    expect(await stored()).toEqual([]);
  });

  it('keeps nothing of an upload with the wrong checksum', async () => {
    const answer = await fetch(`${base}/v1/images`, {
      method: 'POST',
      headers: headers({ 'x-image-meta-checksum': '0'.repeat(32) }),
      body: DATA,
    });
    expect([answer.status, await answer.text()]).toEqual([400, expect.stringContaining('did not match')]);
    expect(await stored()).toEqual([]);
  });

  /** Sends two and a half segments of an upload and waits until the first is stored. */
  const half = async (id: string) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => {});
    const lines = {
      ...headers({ 'x-image-meta-id': id }),
      host: 'x',
      'content-length': String(DATA.byteLength),
    };
    const head = Object.entries(lines).map(([name, value]) => `${name}: ${value}\r\n`);
    socket.write(`POST /v1/images HTTP/1.1\r\n${head.join('')}\r\n`);
    socket.write(DATA.subarray(0, 2.5 * MEGABYTE));
    await expect.poll(stored, { timeout: 20_000 }).toContain(`${id}-00001`);
    return socket;
  };
  const status = async (id: string) =>
    (await fetch(`${base}/v1/images/${id}`, { method: 'HEAD' })).headers.get('x-image-meta-status');

  it('leaves no segment of an upload that its client breaks off', async () => {
    const id = '00000000-0000-4000-8000-000000000001';
    (await half(id)).destroy();
    await expect.poll(() => status(id), { timeout: 20_000 }).toBe('killed');
    await expect.poll(stored, { timeout: 20_000 }).toEqual([]);
  });

  it('leaves no segment of an upload whose image is deleted meanwhile', async () => {
    const id = '00000000-0000-4000-8000-000000000002';
    const socket = await half(id);
    await remove(id);
    await expect.poll(stored, { timeout: 20_000 }).toEqual([]);
    socket.destroy();
  });

  it('leaves no segment of an upload during which glance is killed', async () => {
    const id = '00000000-0000-4000-8000-000000000003';
    const socket = await half(id);
    api.kill('SIGKILL');
    await api.exited;
    socket.destroy();
    api = await start();
    expect(await status(id)).toBe('killed');
    expect(await stored()).toEqual([]);
  });
});
