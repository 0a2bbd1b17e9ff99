import { createServer, type Server } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageHeaders, startThrowaway, type Throwaway } from '../throwaway.ts';

const EXPLAIN_404 = '404 Not Found\n\nThe resource could not be found.\n\n';

for (const remote of [false, true]) {
  describe(`version 1 with the registry ${remote ? 'elsewhere' : 'in process'}`, () => {
    let image: Throwaway;
    beforeAll(async () => {
      image = await startThrowaway({ remote });
    });
    afterAll(async () => {
      expect([...image.undeclared]).toEqual([]);
      await image.stop();
    });

    const create = async (
      fields: Record<string, string> = {},
      body: string | null = 'data',
      user = 'alice',
    ) => {
      const answer = await image.call('POST', '/v1/images', {
        user,
        headers: imageHeaders(fields),
        ...(body === null ? {} : { body }),
      });
      expect(answer.status, answer.text).toBe(201);
      // biome-ignore lint/suspicious/noExplicitAny: tests look at what they sent
      return answer.json().image as Record<string, any>;
    };

    it('stores, describes and gives back an image', async () => {
      const made = await create({ 'property-Foo-Bar': 'Baz', min_disk: '3' }, 'raw image data');
      expect(made).toMatchObject({
        status: 'active',
        size: 14,
        checksum: '7071c312f57b2afda0c591ec386bc0cb',
        owner: 'tenant-alice',
        is_public: false,
        min_disk: 3,
        properties: { foo_bar: 'Baz' },
      });
      expect(made).not.toHaveProperty('location');
      const head = await image.call('HEAD', `/v1/images/${made.id}`);
      expect(head.status).toBe(200);
      expect(head.headers.get('x-image-meta-size')).toBe('14');
      expect(head.headers.get('x-image-meta-protected')).toBe('False');
      expect(head.headers.get('x-image-meta-property-foo_bar')).toBe('Baz');
      expect(head.headers.get('etag')).toBe(made.checksum);
      const got = await image.call('GET', `/v1/images/${made.id}`);
      expect(got.text).toBe('raw image data');
      expect(got.headers.get('content-length')).toBe('14');
      expect(await image.files()).toContain(made.id);
    });

    it('keeps text that is not ASCII, and lets no value break out of its header', async () => {
      const name = Buffer.from('映像 ü').toString('latin1');
      const made = await create({ name });
      expect(made.name).toBe('映像 ü');
      await image.call('PATCH', `/v2/images/${made.id}`, {
        headers: { 'content-type': 'application/openstack-images-v2.0-json-patch' },
        body: JSON.stringify([{ add: '/evil', value: 'a\r\nX-Injected: yes' }]),
      });
      const head = await image.call('HEAD', `/v1/images/${made.id}`);
      expect(head.status).toBe(200);
      expect(head.headers.get('x-injected')).toBeNull();
      expect(Buffer.from(head.headers.get('x-image-meta-name')!, 'latin1').toString()).toBe('映像 ü');
    });

    it('reserves an image and takes its bytes later, once', async () => {
      const reserved = (
        await image.call('POST', '/v1/images', { headers: { 'x-image-meta-name': 'later' } })
      ).json().image;
      expect(reserved).toMatchObject({ status: 'queued', size: 0 });
      const early = await image.call('GET', `/v1/images/${reserved.id}`);
      expect(early.text).toBe(`${EXPLAIN_404} Image ${reserved.id} is not active  `);
      const put = await image.call('PUT', `/v1/images/${reserved.id}`, {
        headers: imageHeaders({ name: 'later' }),
        body: 'late data',
      });
      expect(put.json().image).toMatchObject({ status: 'active', size: 9 });
      const again = await image.call('PUT', `/v1/images/${reserved.id}`, {
        headers: { 'content-type': 'application/octet-stream' },
        body: 'again',
      });
      expect(again.status).toBe(409);
      expect(again.text).toContain('Cannot upload to an unqueued image');
    });

    it('refuses what is wrong in the words of the original', async () => {
      const cases: [Record<string, string>, string][] = [
        [{ disk_format: 'zz' }, "Invalid disk format 'zz' for image."],
        [{ container_format: 'zz' }, "Invalid container format 'zz' for image."],
        [{ size: 'abc' }, 'Incoming image size of abc was not convertible to an integer.'],
        [{ id: 'xyz' }, 'Failed to reserve image. Got error: 400 Bad Request  Invalid image id format     '],
        [{ name: 'n'.repeat(300) }, 'Image name too long: 300'],
        [{ disk_format: 'ami', container_format: 'aki' }, 'Invalid mix of disk and container formats.'],
        [{ location: 'file:///etc/passwd' }, 'External sourcing not supported for store file:///etc/passwd'],
        [
          { size: '999' },
          "Supplied size (999) and size generated from uploaded image (4) did not match. Setting image status to 'killed'.",
        ],
      ];
      const before = await image.files();
      for (const [fields, message] of cases) {
        const answer = await image.call('POST', '/v1/images', {
          headers: imageHeaders(fields),
          body: 'data',
        });
        expect(answer.status, message).toBe(400);
        expect(answer.text).toContain(message);
        expect(answer.headers.get('content-type')).toBe('text/plain; charset=UTF-8');
      }
      expect(await image.files()).toEqual(before);
    });

    it('lists by filter, order and page', async () => {
      for (const name of ['list-a', 'list-b', 'list-c']) await create({ name, 'property-set': 'list' });
      const names = async (query: string) =>
        ((await image.call('GET', `/v1/images${query}`)).json().images as { name: string }[]).map(
          i => i.name,
        );
      expect(await names('?property-set=list&sort_key=name&sort_dir=asc')).toEqual([
        'list-a',
        'list-b',
        'list-c',
      ]);
      expect(await names('?property-set=list&sort_key=name&sort_dir=desc&limit=2')).toEqual([
        'list-c',
        'list-b',
      ]);
      const detail = (await image.call('GET', '/v1/images/detail?name=list-b')).json().images[0];
      expect(await names(`?property-set=list&sort_key=name&sort_dir=asc&marker=${detail.id}`)).toEqual([
        'list-c',
      ]);
      expect(await names('?property-set=list&size_min=5')).toEqual([]);
      expect(await names('?property-set=list&name=list-a&status=active')).toEqual(['list-a']);
      expect((await image.call('GET', '/v1/images?limit=abc')).text).toContain(
        'limit param must be an integer',
      );
      expect((await image.call('GET', '/v1/images?size_min=x')).text).toContain(
        'Bad value passed to filter size_min got x',
      );
    });

    it('replaces properties unless told not to', async () => {
      const made = await create({ 'property-a': '1' });
      const put = (headers: Record<string, string>) =>
        image
          .call('PUT', `/v1/images/${made.id}`, { headers })
          .then(answer => answer.json().image.properties);
      expect(await put({ 'x-image-meta-property-b': '2' })).toEqual({ b: '2' });
      expect(await put({ 'x-image-meta-property-c': '3', 'x-glance-registry-purge-props': 'false' })).toEqual(
        { b: '2', c: '3' },
      );
      expect(await put({ 'x-image-meta-property-a': '4' })).toEqual({ a: '4' });
    });

    it('shares an image with a tenant', async () => {
      const made = await create({ name: 'shared' });
      const members = `/v1/images/${made.id}/members`;
      expect((await image.call('GET', `/v1/images/${made.id}`, { user: 'bob' })).status).toBe(404);
      expect((await image.call('PUT', `${members}/tenant-bob`)).status).toBe(204);
      expect((await image.call('GET', `/v1/images/${made.id}`, { user: 'bob' })).text).toBe('data');
      expect((await image.call('GET', members)).json()).toEqual({
        members: [{ member_id: 'tenant-bob', can_share: false }],
      });
      expect((await image.call('PUT', `${members}/other`, { user: 'bob' })).status).toBe(404);
      await image.call('PUT', members, { body: { memberships: [{ member_id: 'x', can_share: true }] } });
      expect((await image.call('GET', '/v1/shared-images/x')).json()).toEqual({
        shared_images: [{ image_id: made.id, can_share: true }],
      });
      expect((await image.call('GET', `/v1/images/${made.id}`, { user: 'bob' })).status).toBe(404);
      // What is shared with a third tenant is nobody else's business, but the owner's and an administrator's.
      expect((await image.call('GET', '/v1/shared-images/x', { user: 'bob' })).json().shared_images).toEqual(
        [],
      );
      expect(
        (await image.call('GET', '/v1/shared-images/x', { user: 'admin' })).json().shared_images,
      ).toHaveLength(1);
      expect((await image.call('DELETE', `${members}/x`)).status).toBe(204);
      const gone = await image.call('DELETE', `${members}/x`);
      expect(gone.text).toBe(`${EXPLAIN_404} 404 Not Found  Membership could not be found.       `);
      // A membership that ended can begin again.
      expect((await image.call('PUT', `${members}/tenant-bob`)).status).toBe(204);
      expect((await image.call('GET', members)).json().members).toHaveLength(1);
    });

    it('deletes an image and its bytes, and keeps its id taken', async () => {
      const made = await create({ protected: 'True' });
      const refused = await image.call('DELETE', `/v1/images/${made.id}`);
      expect(refused.text).toBe('403 Forbidden\n\nImage is protected\n\n   ');
      await image.call('PUT', `/v1/images/${made.id}`, { headers: { 'x-image-meta-protected': 'False' } });
      const deleted = await image.call('DELETE', `/v1/images/${made.id}`);
      expect([deleted.status, deleted.text]).toEqual([200, 'null']);
      expect(await image.files()).not.toContain(made.id);
      expect((await image.call('DELETE', `/v1/images/${made.id}`)).status).toBe(404);
      expect((await image.call('DELETE', `/v1/images/${made.id}`, { user: 'admin' })).text).toContain(
        'Forbidden to delete a deleted image.',
      );
      expect(
        (await image.call('HEAD', `/v1/images/${made.id}`, { user: 'admin' })).headers.get(
          'x-image-meta-deleted',
        ),
      ).toBe('True');
      const again = await image.call('POST', '/v1/images', {
        headers: imageHeaders({ id: made.id }),
        body: 'x',
      });
      expect([again.status, again.text]).toEqual([
        409,
        `409 Conflict\n\nAn image with identifier ${made.id} already exists\n\n   `,
      ]);
    });

    describe('external sources', () => {
      let web: Server;
      let base: string;
      beforeAll(async () => {
        web = createServer((request, response) => {
          if (request.url === '/image')
            response.setHeader('content-length', '6').end(request.method === 'HEAD' ? undefined : 'remote');
          else response.writeHead(404).end();
        });
        await new Promise<void>(resolve => web.listen(0, '127.0.0.1', resolve));
        base = `http://127.0.0.1:${(web.address() as { port: number }).port}`;
      });
      afterAll(() => void web.close());

      it('points to an image elsewhere', async () => {
        const made = await create({ location: `${base}/image` }, null);
        expect(made).toMatchObject({ status: 'active', size: 6, checksum: null });
        expect((await image.call('GET', `/v1/images/${made.id}`)).text).toBe('remote');
        expect((await image.call('DELETE', `/v1/images/${made.id}`)).status).toBe(200);
      });

      it('copies an image from elsewhere behind the answer', async () => {
        const copy = async (path: string) => {
          const answer = await image.call('POST', '/v1/images', {
            headers: { ...imageHeaders(), 'x-glance-api-copy-from': base + path },
          });
          expect(answer.json().image.status).toBe('queued');
          return answer.json().image.id as string;
        };
        const good = await copy('/image');
        const bad = await copy('/missing');
        const status = (id: string) =>
          image.call('HEAD', `/v1/images/${id}`).then(answer => answer.headers.get('x-image-meta-status'));
        await expect.poll(() => status(good)).toBe('active');
        await expect.poll(() => status(bad)).toBe('killed');
        expect((await image.call('GET', `/v1/images/${good}`)).text).toBe('remote');
      });
    });
  });
}

describe('version 1 with delayed delete', () => {
  it('leaves the bytes to the scrubber', async () => {
    const image = await startThrowaway({ image: { delayed_delete: true } });
    try {
      const made = (await image.call('POST', '/v1/images', { headers: imageHeaders(), body: 'data' })).json()
        .image;
      expect((await image.call('DELETE', `/v1/images/${made.id}`)).status).toBe(200);
      expect(await image.files()).toEqual([made.id]);
      const row = (await image.db.knex('images').where({ id: made.id }).first())!;
      expect([row.status, Number(row.deleted)]).toEqual(['pending_delete', 1]);
    } finally {
      await image.stop();
    }
  });
});
