import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageHeaders, startThrowaway, type Throwaway } from '../throwaway.ts';

const PATCH = 'application/openstack-images-v2.0-json-patch';

describe('version 2', () => {
  let image: Throwaway;
  beforeAll(async () => {
    image = await startThrowaway();
  });
  afterAll(async () => {
    expect([...image.undeclared]).toEqual([]);
    await image.stop();
  });

  const create = async (body: unknown = { name: 'v2' }, user = 'alice') => {
    const answer = await image.call('POST', '/v2/images', { user, body });
    expect(answer.status, answer.text).toBe(201);
    // biome-ignore lint/suspicious/noExplicitAny: tests look at what they sent
    return answer.json() as Record<string, any>;
  };
  const patch = (id: string, body: unknown, user = 'alice', type = PATCH) =>
    image.call('PATCH', `/v2/images/${id}`, {
      user,
      headers: { 'content-type': type },
      body: JSON.stringify(body),
    });

  it('makes, shows and lists images', async () => {
    const made = await create({
      name: 'v2a',
      disk_format: 'raw',
      container_format: 'bare',
      visibility: 'private',
      tags: ['t1', 't2', 't1'],
      foo: 'bar',
    });
    expect(made).toMatchObject({
      status: 'queued',
      foo: 'bar',
      visibility: 'private',
      min_disk: 0,
      protected: false,
    });
    expect([...made.tags].sort()).toEqual(['t1', 't2']);
    expect(made).not.toHaveProperty('checksum');
    expect(made).not.toHaveProperty('owner');
    expect((await image.call('GET', `/v2/images/${made.id}`)).json()).toEqual(made);
    const list = (await image.call('GET', '/v2/images?foo=bar&limit=1')).json();
    expect(list.images).toEqual([made]);
    expect(list).toMatchObject({
      next: `/v2/images?marker=${made.id}&foo=bar&limit=1`,
      first: '/v2/images?foo=bar&limit=1',
      schema: '/v2/schemas/images',
    });
    expect((await image.call('GET', `/v2/images/${made.id}`, { user: 'bob' })).status).toBe(404);
  });

  it('takes and gives the bytes; the same image is seen through version 1', async () => {
    const made = await create({ name: 'bytes', disk_format: 'raw', container_format: 'bare' });
    const file = `/v2/images/${made.id}/file`;
    const octets = { 'content-type': 'application/octet-stream' };
    expect((await image.call('GET', file)).text).toContain('No image data could be found');
    expect(
      (await image.call('PUT', file, { body: 'v2 data', headers: { 'content-type': 'text/plain' } })).status,
    ).toBe(415);
    expect((await image.call('PUT', file, { body: 'v2 data', headers: octets })).status).toBe(201);
    const again = await image.call('PUT', file, { body: 'other', headers: octets });
    expect([again.status, again.text]).toEqual([
      409,
      '409 Conflict\n\nUnable to upload duplicate image data for image: %s\n\n   ',
    ]);
    const got = await image.call('GET', file);
    expect(got.text).toBe('v2 data');
    expect(got.headers.get('content-md5')).toBe('146e7f8a7d1ac4ba729108d49c5a3400');
    const v1 = await image.call('HEAD', `/v1/images/${made.id}`);
    expect(v1.headers.get('x-image-meta-size')).toBe('7');
    expect(v1.headers.get('x-image-meta-checksum')).toBe('146e7f8a7d1ac4ba729108d49c5a3400');
    const fromV1 = (await image.call('POST', '/v1/images', { headers: imageHeaders(), body: 'data' })).json()
      .image;
    expect((await image.call('GET', `/v2/images/${fromV1.id}`)).json()).toMatchObject({
      status: 'active',
      size: 4,
    });
    expect((await image.call('GET', `/v2/images/${fromV1.id}/file`)).text).toBe('data');
  });

  it('changes images by the draft form of JSON patch', async () => {
    const { id } = await create({ name: 'patched', foo: 'bar' });
    expect(
      (
        await patch(id, [
          { replace: '/name', value: 'n' },
          { add: '/x~1y', value: '1' },
        ])
      ).json(),
    ).toMatchObject({
      name: 'n',
      'x/y': '1',
      foo: 'bar',
    });
    expect((await patch(id, [{ remove: '/foo' }])).json()).not.toHaveProperty('foo');
    expect((await patch(id, [{ add: '/foo', value: 'again' }])).json().foo).toBe('again');
    expect((await patch(id, [{ replace: '/tags', value: ['a', 'b'] }])).json().tags).toEqual(['a', 'b']);
    const refusals: [unknown, number, string][] = [
      [[{ remove: '/nosuch' }], 409, 'Property nosuch does not exist.'],
      [[{ add: '/foo', value: 'y' }], 409, 'Property foo already present.'],
      [[{ replace: '/status', value: 'active' }], 403, "Attribute 'status' is read-only."],
      [[{ replace: '/owner', value: 'x' }], 403, "Attribute 'owner' is reserved."],
      [[{ remove: '/name' }], 403, "Attribute 'name' may not be removed."],
      [[{ replace: '/id', value: '11111111-2222-3333-4444-555555555555' }], 403, 'read-only'],
      [[{ op: 'replace', path: '/name', value: 'z' }], 400, 'must contain exactly one member'],
      [[{ replace: 'name', value: 'z' }], 400, 'Pointer `name` does not start with "/".'],
      [[{ replace: '/a/b', value: 'z' }], 400, 'contains more than one "/"'],
      [[{ replace: 7, value: 'z' }], 400, 'Pointers must be strings.'],
      [[{ replace: '/name' }], 400, 'Operation "replace" requires a member named "value".'],
      [[7], 400, 'Operations must be JSON objects.'],
      [{}, 400, 'Request body must be a JSON array of operation objects.'],
      [[{ replace: '/name', value: 7 }], 400, "7 is not of type 'string'"],
    ];
    for (const [body, status, message] of refusals) {
      const answer = await patch(id, body);
      expect([answer.status, JSON.stringify(body)]).toEqual([status, JSON.stringify(body)]);
      expect(answer.text).toContain(message);
    }
    const wrongType = await patch(id, [], 'alice', 'application/json');
    expect(wrongType.status).toBe(415);
    expect(wrongType.headers.get('accept-patch')).toBe(PATCH);
    expect((await patch(id, [], 'bob')).status).toBe(404);
  });

  it('checks what is made against the schema', async () => {
    const refusals: [unknown, number, string][] = [
      [[], 400, "[] is not of type 'object'"],
      [{ foo: 5 }, 400, "5 is not of type 'string'"],
      [{ visibility: 'zz' }, 400, "u'zz' is not one of ['public', 'private']"],
      [{ disk_format: "it's" }, 400, 'u"it\'s" is not one of'],
      [{ protected: 'yes' }, 400, "u'yes' is not of type 'boolean'"],
      [{ tags: [1] }, 400, "1 is not of type 'string'"],
      [{ name: 'n'.repeat(256) }, 400, 'is too long'],
      [{ id: 'x' }, 400, 'does not match'],
      [{ min_disk: 1e12 }, 400, 'min_disk'],
      [{ status: 'active' }, 403, "Attribute 'status' is read-only."],
      [{ location: 'file:///etc/passwd' }, 403, "Attribute 'location' is reserved."],
    ];
    for (const [body, status, message] of refusals) {
      const answer = await image.call('POST', '/v2/images', { body });
      expect([answer.status, JSON.stringify(body)]).toEqual([status, JSON.stringify(body)]);
      expect(answer.text).toContain(message);
    }
    const { id } = await create();
    expect((await image.call('POST', '/v2/images', { body: { id } })).status).toBe(409);
  });

  it('tags, protects and deletes', async () => {
    const { id } = await create({ name: 'tagged' });
    const tag = `/v2/images/${id}/tags/mine`;
    expect((await image.call('PUT', tag)).status).toBe(204);
    expect((await image.call('PUT', tag)).status).toBe(204);
    expect((await image.call('GET', `/v2/images/${id}`)).json().tags).toEqual(['mine']);
    expect((await image.call('PUT', tag, { user: 'bob' })).status).toBe(404);
    expect((await image.call('DELETE', tag)).status).toBe(204);
    expect((await image.call('DELETE', tag)).status).toBe(404);
    await patch(id, [{ replace: '/protected', value: true }]);
    expect((await image.call('DELETE', `/v2/images/${id}`)).text).toContain(
      `Unable to delete as image ${id} is protected`,
    );
    await patch(id, [{ replace: '/protected', value: false }]);
    expect((await image.call('DELETE', `/v2/images/${id}`)).status).toBe(204);
    expect((await image.call('GET', `/v2/images/${id}`)).status).toBe(404);
  });

  describe('as the next release completed it', () => {
    const LATER = 'application/openstack-images-v2.1-json-patch';
    let complete: Throwaway;
    beforeAll(async () => {
      complete = await startThrowaway({ image: { complete_v2_api: true } });
    });
    afterAll(() => complete.stop());
    const change = (id: string, body: unknown, user = 'alice') =>
      complete.call('PATCH', `/v2/images/${id}`, {
        user,
        headers: { 'content-type': LATER },
        body: JSON.stringify(body),
      });

    it('makes an image active with its bytes, once', async () => {
      const { id } = (await complete.call('POST', '/v2/images', { body: { name: 'n' } })).json();
      const put = (body: string) =>
        complete.call('PUT', `/v2/images/${id}/file`, {
          headers: { 'content-type': 'application/octet-stream' },
          body,
        });
      expect((await put('bytes')).status).toBe(201);
      expect((await complete.call('GET', `/v2/images/${id}`)).json()).toMatchObject({
        status: 'active',
        size: 5,
      });
      expect((await put('other')).status).toBe(409);
      expect((await complete.call('GET', `/v1/images/${id}`)).text).toBe('bytes');
    });

    it('takes changes in the form of RFC 6902', async () => {
      const made = await complete.call('POST', '/v2/images', { body: { foo: 'bar', tags: ['a', 'b', 'c'] } });
      const { id, tags } = made.json() as { id: string; tags: string[] };
      const answer = await change(id, [
        { op: 'add', path: '/name', value: 'n' },
        { op: 'replace', path: '/foo', value: 'new' },
        { op: 'add', path: '/x~1y', value: '1' },
        { op: 'replace', path: '/visibility', value: 'public' },
        { op: 'remove', path: '/tags/0' },
        { op: 'add', path: '/tags/-', value: 'last' },
        { op: 'replace', path: '/tags/0', value: 'first' },
      ]);
      expect(answer.json()).toMatchObject({ name: 'n', foo: 'new', 'x/y': '1', visibility: 'public' });
      expect([...answer.json().tags].sort()).toEqual([tags[2]!, 'first', 'last'].sort());
      const refusals: [unknown, number, string][] = [
        [[{ op: 'remove', path: '/nosuch' }], 409, 'Property nosuch does not exist.'],
        [[{ op: 'add', path: '/status', value: 'active' }], 403, "Attribute 'status' is read-only."],
        [[{ op: 'remove', path: '/name' }], 403, "Attribute 'name' may not be removed."],
        [[{ op: 'replace', path: '/tags/7', value: 'x' }], 409, 'There is no tag number 7.'],
        [[{ op: 'add', path: '/tags/0', value: 7 }], 400, "7 is not of type 'string'"],
        [[{ op: 'move', path: '/name', from: '/foo' }], 400, 'Operations must be one of'],
        [[{ replace: '/name', value: 'x' }], 400, 'Operations must be one of'],
        [[{ op: 'replace', path: '/name' }], 400, 'requires a member named "value"'],
        [[null], 400, 'Operations must be JSON objects.'],
        ['text', 400, 'Request body must be a JSON array'],
      ];
      for (const [body, status, message] of refusals) {
        const refused = await change(id, body);
        expect([refused.status, JSON.stringify(body)]).toEqual([status, JSON.stringify(body)]);
        expect(refused.text).toContain(message);
      }
      expect((await change(id, [{ op: 'replace', path: '/name', value: 'x' }], 'bob')).status).toBe(404);
    });
  });

  it('pages through images whose sort key is equal or empty', async () => {
    const ids = new Set<string>();
    for (let i = 0; i < 7; i++)
      ids.add((await create(i % 2 ? { page: 'yes' } : { name: 'same', page: 'yes' })).id);
    for (const dir of ['asc', 'desc']) {
      const seen: string[] = [];
      let path = `/v2/images?page=yes&limit=2&sort_key=name&sort_dir=${dir}`;
      while (path) {
        const page = (await image.call('GET', path)).json();
        seen.push(...page.images.map((item: { id: string }) => item.id));
        path = page.next;
      }
      expect(new Set(seen)).toEqual(ids);
      expect(seen).toHaveLength(ids.size);
    }
  });

  it('serves its schemas and knows nothing else', async () => {
    const schema = (await image.call('GET', '/v2/schemas/image')).json();
    expect(schema.properties.kernel_id.pattern).toMatch(/^\^/);
    expect(schema.additionalProperties).toEqual({ type: 'string' });
    for (const path of ['/v2/', '/v2/bogus', '/v2/schemas/member', `/v2/images/x/members`, '/v2/images/']) {
      const answer = await image.call('GET', path);
      expect([path, answer.status, answer.text]).toEqual([
        path,
        404,
        '404 Not Found\n\nThe resource could not be found.\n\n   ',
      ]);
    }
  });
});
