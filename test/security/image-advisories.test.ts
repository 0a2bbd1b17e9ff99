import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { imageHeaders, startThrowaway, type Throwaway, type ThrowawayOptions } from '@folsom/image/testing';
import { policyFrom } from '@folsom/policy';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';

const OCTETS = { 'content-type': 'application/octet-stream' };
const started: Throwaway[] = [];
afterEach(async () => {
  for (const image of started.splice(0)) await image.stop();
});
const start = async (options: ThrowawayOptions = {}): Promise<Throwaway> => {
  const image = await startThrowaway(options);
  started.push(image);
  return image;
};
const upload = async (
  image: Throwaway,
  fields: Record<string, string> = {},
  body = 'data',
  user = 'alice',
) => {
  const answer = await image.call('POST', '/v1/images', { user, headers: imageHeaders(fields), body });
  expect(answer.status, answer.text).toBe(201);
  return answer.json().image as { id: string; status: string };
};

describe('advisory 34 (CVE-2012-4573, CVE-2012-5482): deleting asks for the owner', () => {
  for (const remote of [false, true]) {
    it(`refuses other tenants, registry ${remote ? 'elsewhere' : 'in process'}`, async () => {
      const image = await start({ remote });
      const open = await upload(image, { is_public: 'True' });
      const shared = await upload(image);
      const secret = await upload(image);
      await image.call('PUT', `/v1/images/${shared.id}/members/tenant-bob`);
      for (const [id, v1, v2] of [
        [open.id, 403, 404],
        [shared.id, 404, 404],
        [secret.id, 404, 404],
      ] as const) {
        expect((await image.call('DELETE', `/v1/images/${id}`, { user: 'bob' })).status).toBe(v1);
        expect((await image.call('DELETE', `/v2/images/${id}`, { user: 'bob' })).status).toBe(v2);
        expect((await image.call('DELETE', `/images/${id}`, { user: 'bob', to: 'registry' })).status).toBe(
          v1,
        );
        expect((await image.call('GET', `/v1/images/${id}`)).text).toBe('data');
      }
      expect(await image.files()).toHaveLength(3);
    });
  }
});

/** A swift that lets nobody in and quotes what it was sent. */
const failingSwift = async () => {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', chunk => {
      body += chunk;
    });
    request.on('end', () =>
      response.writeHead(500).end(`MARKSECRET ${JSON.stringify(request.headers)} ${body}`),
    );
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
};

describe('advisories 35, 36 and 38 (CVE-2013-0212, CVE-2013-1840, CVE-2014-1948): store credentials stay inside', () => {
  it('shows them in no answer, header, log or notification, whatever fails', async () => {
    const { server, port } = await failingSwift();
    try {
      const image = await start({
        image: {
          default_store: 'swift',
          swift_store_auth_address: `http://127.0.0.1:${port}/v2.0/`,
          swift_store_user: 'MARKTENANT:MARKUSER',
          swift_store_key: 'MARKSECRET',
          swift_store_create_container_on_put: true,
          notifier_strategy: 'logging',
        },
      });
      const id = '11111111-2222-3333-4444-555555555555';
      const location = `swift+http://MARKTENANT%3AMARKUSER:MARKSECRET@127.0.0.1:${port}/v2.0/glance/${id}`;
      await image.db.knex('images').insert({
        id,
        name: 'stored',
        status: 'active',
        is_public: 1,
        location,
        size: 4,
        owner: 'tenant-alice',
        checksum: '8d777f385d3dfec8815d20f7496026dc',
        disk_format: 'raw',
        container_format: 'bare',
        min_disk: 0,
        min_ram: 0,
        protected: 0,
        deleted: 0,
        created_at: '2012-11-01 00:00:00',
        updated_at: '2012-11-01 00:00:00',
      });
      const answers = [
        await image.call('POST', '/v1/images', { headers: imageHeaders(), body: 'data' }),
        await image.call('GET', '/v1/images'),
        await image.call('GET', '/v1/images/detail'),
        await image.call('HEAD', `/v1/images/${id}`),
        await image.call('HEAD', `/v1/images/${id}`, { user: 'admin' }),
        await image.call('GET', `/v1/images/${id}`),
        await image.call('GET', `/v2/images/${id}`),
        await image.call('GET', `/v2/images/${id}/file`),
        await image.call('GET', '/v2/images'),
        await image.call('PUT', `/v1/images/${id}`, { headers: { 'x-image-meta-name': 'n' } }),
        await image.call('POST', '/v1/images', { headers: imageHeaders({ location }) }),
        await image.call('POST', '/v1/images', {
          headers: { ...imageHeaders(), 'x-glance-api-copy-from': 'swift+http://a:b:MARKSECRET@x/c/o' },
        }),
        await image.call('DELETE', `/v1/images/${id}`),
      ];
      for (const { status, text, headers } of answers) {
        expect(status).not.toBe(500);
        // What the user sent may come back to that user; what the service holds may not.
        expect(text.replace(/External sourcing.*/, '')).not.toMatch(/MARK(SECRET|USER)/);
        expect(JSON.stringify([...headers])).not.toMatch(/MARK|location=|swift\+http/);
        expect(headers.get('x-image-meta-location')).toBeNull();
      }
      expect(image.log()).not.toContain('MARKSECRET');
      expect(image.log()).toContain('notification');
    } finally {
      server.close();
    }
  });

  it('shows no location for a cached image either', async () => {
    const image = await start();
    const { id } = await upload(image);
    for (const user of ['alice', 'admin']) {
      for (const _ of ['filled', 'hit']) {
        const got = await image.call('GET', `/v1/images/${id}`, { user });
        expect(got.text).toBe('data');
        expect(JSON.stringify([...got.headers])).not.toMatch(/file:\/\//);
      }
    }
    const cached = (await image.call('GET', '/v1/cached_images', { user: 'admin' })).json().cached_images;
    expect(cached).toMatchObject([{ image_id: id, size: 4 }]);
  });
});

describe('advisory 37 (CVE-2013-4428): the policy comes before the cache', () => {
  it('refuses a download on a hit as on a miss', async () => {
    const image = await start({
      policy: policyFrom({
        default: [],
        manage_image_cache: [['role:admin']],
        download_image: [['role:admin']],
      }),
    });
    const { id } = await upload(image);
    for (const stage of ['miss', 'hit']) {
      for (const path of [`/v1/images/${id}`, `/v2/images/${id}/file`]) {
        expect([stage, (await image.call('GET', path)).status]).toEqual([stage, 403]);
      }
      expect((await image.call('GET', `/v1/images/${id}`, { user: 'admin' })).text).toBe('data');
    }
  });

  it('does not serve a cached image that is deleted or foreign', async () => {
    const image = await start();
    const { id } = await upload(image);
    await image.call('GET', `/v1/images/${id}`);
    expect(await readdir(join(image.directory, 'cache'))).toContain(id);
    expect((await image.call('GET', `/v1/images/${id}`, { user: 'bob' })).status).toBe(404);
    expect((await image.call('GET', `/v2/images/${id}/file`, { user: 'bob' })).status).toBe(404);
    await image.call('DELETE', `/v1/images/${id}`);
    expect(await readdir(join(image.directory, 'cache'))).not.toContain(id);
    expect((await image.call('GET', `/v1/images/${id}`, { user: 'admin' })).status).toBe(404);
  });
});

describe('advisory 39 (CVE-2014-0162): a location is data, never a command', () => {
  it('runs nothing for crafted locations', async () => {
    const image = await start();
    const trap = join(image.directory, 'trap');
    for (const text of [
      `http://127.0.0.1:1/;touch ${trap}`,
      `http://127.0.0.1:1/$(touch$\{IFS}${trap})`,
      `http://127.0.0.1:1/\`touch ${trap}\``,
      `sheepdog:x;touch ${trap}`,
      `rbd://a|touch ${trap}`,
      `http://127.0.0.1:1/a b`,
      'http://',
      'http://[',
      'swift://a',
      's3://a:b',
      '://',
    ]) {
      for (const header of ['x-image-meta-location', 'x-glance-api-copy-from']) {
        const answer = await image.call('POST', '/v1/images', {
          headers: { ...imageHeaders(), [header]: text },
        });
        expect([201, 400]).toContain(answer.status);
      }
    }
    expect(await readdir(image.directory)).not.toContain('trap');
  });
});

describe('advisory 40 (CVE-2014-5356): the size cap holds while bytes come', () => {
  it('cuts uploads of unknown size and keeps nothing', async () => {
    const image = await start({ image: { image_size_cap: 100_000 } });
    const chunked = (method: string, path: string, headers: Record<string, string>) =>
      fetch(image.api + path, {
        method,
        headers: { 'x-auth-token': 'alice', ...headers },
        body: new ReadableStream({
          start(controller) {
            for (let i = 0; i < 4; i++) controller.enqueue(new Uint8Array(50_000));
            controller.close();
          },
        }),
        duplex: 'half',
      } as RequestInit).then(answer => answer.status);
    expect(await chunked('POST', '/v1/images', imageHeaders())).toBe(413);
    const { id } = (await image.call('POST', '/v2/images', { body: { name: 'v2' } })).json();
    expect(await chunked('PUT', `/v2/images/${id}/file`, OCTETS)).toBe(413);
    expect(
      (await image.call('POST', '/v1/images', { headers: imageHeaders(), body: 'x'.repeat(100_001) })).status,
    ).toBe(400);
    expect(
      (await image.call('PUT', `/v2/images/${id}/file`, { headers: OCTETS, body: 'x'.repeat(100_001) }))
        .status,
    ).toBe(413);
    expect(await image.files()).toEqual([]);
    expect(await readdir(join(image.images, '.incoming'))).toEqual([]);
    expect(await readdir(join(image.images, '.uploads'))).toEqual([]);
    const states = await image.db.knex('images').select('status').orderBy('created_at');
    expect(states.map(row => row.status).sort()).toEqual(['killed', 'queued']);
    expect((await image.call('PUT', `/v2/images/${id}/file`, { headers: OCTETS, body: 'fits' })).status).toBe(
      201,
    );
  });
});

describe('advisory 41 (CVE-2014-9493, CVE-2015-1195): no location of a file', () => {
  it('refuses every spelling', async () => {
    const image = await start();
    const victim = join(image.directory, 'victim');
    await writeFile(victim, 'secret');
    for (const text of [
      `file://${victim}`,
      `filesystem://${victim}`,
      `FILE://${victim}`,
      `File://localhost${victim}`,
      ` file://${victim}`,
      `file:${victim}`,
      `filesystem:////${victim}`,
      victim,
      `swift://u:k@file://${victim}`,
      `http://x@file://${victim}`,
    ]) {
      for (const header of ['x-image-meta-location', 'x-glance-api-copy-from']) {
        const made = await image.call('POST', '/v1/images', {
          headers: { ...imageHeaders(), [header]: text },
        });
        expect([text, made.status]).toEqual([text, 400]);
        const { id } = (
          await image.call('POST', '/v1/images', { headers: { 'x-image-meta-name': 'q' } })
        ).json().image;
        const put = await image.call('PUT', `/v1/images/${id}`, {
          headers: { ...imageHeaders(), [header]: text },
        });
        expect([text, put.status]).toEqual([text, 400]);
      }
    }
    expect(await readFile(victim, 'utf8')).toBe('secret');
  });

  it('opens and removes nothing outside its directory, even if the database says so', async () => {
    const image = await start();
    const victim = join(image.directory, 'victim');
    await writeFile(victim, 'secret');
    await mkdir(join(image.images, 'sub'));
    for (const location of [
      `file://${victim}`,
      `file://${image.images}/../victim`,
      `file://${image.images}/sub/../../victim`,
    ]) {
      const { id } = await upload(image);
      // Whoever reaches the registry with a token of their own may write this.
      await image.call('PUT', `/images/${id}`, { to: 'registry', body: { image: { location } } });
      expect((await image.call('GET', `/v1/images/${id}`)).text).not.toContain('secret');
      expect((await image.call('GET', `/v2/images/${id}/file`)).text).not.toContain('secret');
      await image.call('DELETE', `/v1/images/${id}`);
      expect(await readFile(victim, 'utf8')).toBe('secret');
    }
  });
});

describe('advisory 43 (CVE-2015-5251, CVE-2016-0757): the state is not the user’s', () => {
  it('ignores a state in a header and never goes back', async () => {
    const image = await start();
    const { id } = await upload(image);
    for (const status of ['queued', 'saving', 'killed', 'deleted', 'pending_delete', 'bogus']) {
      for (const user of ['alice', 'admin']) {
        const put = await image.call('PUT', `/v1/images/${id}`, {
          user,
          headers: { 'x-image-meta-status': status },
        });
        expect(put.json().image.status).toBe('active');
      }
    }
    const replaced = await image.call('PUT', `/v1/images/${id}`, {
      headers: { ...imageHeaders({ status: 'queued' }) },
      body: 'other',
    });
    expect(replaced.status).toBe(409);
    for (const status of ['queued', 'saving']) {
      const put = await image.call('PUT', `/images/${id}`, { to: 'registry', body: { image: { status } } });
      expect(put.status).toBe(400);
    }
    const made = await upload(image, { status: 'killed', deleted: 'True' });
    expect(made).toMatchObject({ status: 'active', deleted: false });
    expect((await image.call('GET', `/v1/images/${id}`)).text).toBe('data');
  });
});

describe('advisory 46 (CVE-2026-34881): sources are not inner hosts', () => {
  let inner: Server;
  let port: number;
  let asked = 0;
  beforeAll(async () => {
    inner = createServer((request, response) => {
      asked += 1;
      const to = /^\/to\/(.*)$/.exec(request.url ?? '')?.[1];
      if (to) response.writeHead(302, { location: decodeURIComponent(to) }).end();
      else response.end('inner secret');
    });
    await new Promise<void>(resolve => inner.listen(0, '0.0.0.0', resolve));
    port = (inner.address() as { port: number }).port;
  });
  afterAll(() => void inner.close());

  it('refuses loopback, link-local, private and disguised addresses', async () => {
    const image = await start({ image: { external_source_networks: '' } });
    asked = 0;
    for (const host of [
      '127.0.0.1',
      'localhost',
      '127.1',
      '2130706433',
      '0x7f000001',
      '0177.0.0.1',
      '0.0.0.0',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:7f00:1]',
      '169.254.169.254',
      '10.1.2.3',
      '172.16.0.1',
      '192.168.1.1',
      '100.64.0.1',
      '[fe80::1]',
      '[fc00::1]',
    ]) {
      for (const scheme of ['http', 'swift+http', 's3']) {
        const text =
          scheme === 'http'
            ? `http://${host}:${port}/x`
            : scheme === 's3'
              ? `s3://a:b@${host}:${port}/c/o`
              : `swift+http://t%3Au:k@${host}:${port}/v2.0/c/o`;
        for (const header of ['x-image-meta-location', 'x-glance-api-copy-from']) {
          const answer = await image.call('POST', '/v1/images', {
            headers: { ...imageHeaders(), [header]: text },
          });
          expect([text, answer.status]).toEqual([text, 400]);
        }
      }
    }
    expect(asked).toBe(0);
  });

  it('looks at every hop of a redirect', async () => {
    // 127.0.0.1 is allowed here and stands for the outside; 127.0.0.2 is not.
    const image = await start({ image: { external_source_networks: '127.0.0.1/32' } });
    const redirect = (to: string) => `http://127.0.0.1:${port}/to/${encodeURIComponent(to)}`;
    const copy = async (source: string) => {
      const answer = await image.call('POST', '/v1/images', {
        headers: { ...imageHeaders({ size: '12' }), 'x-glance-api-copy-from': source },
      });
      return answer.status === 201 ? (answer.json().image.id as string) : null;
    };
    const good = await copy(redirect(`http://127.0.0.1:${port}/x`));
    await expect
      .poll(async () => (await image.db.knex('images').where({ id: good! }).first())?.status)
      .toBe('active');
    for (const to of [
      `http://127.0.0.2:${port}/x`,
      `http://localhost.:${port}/to/${encodeURIComponent(`http://127.0.0.2:${port}/`)}`,
      'file:///etc/passwd',
      'gopher://127.0.0.1/x',
    ]) {
      const id = await copy(redirect(to));
      if (id === null) continue;
      await expect
        .poll(async () => (await image.db.knex('images').where({ id }).first())?.status)
        .toBe('killed');
      expect((await image.call('GET', `/v1/images/${id}`)).text).not.toContain('secret');
    }
    const looping = await copy(`http://127.0.0.1:${port}/to/${encodeURIComponent('/to/%2Fto%2F')}`);
    if (looping) {
      await expect
        .poll(async () => (await image.db.knex('images').where({ id: looping }).first())?.status)
        .not.toBe('saving');
    }
  });
});
