import { imageHeaders, startThrowaway, type Throwaway } from '@folsom/image/testing';
import { type MariaDb, serverMissing, startMariaDb } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const missing = serverMissing('mariadb');
if (missing) console.warn(`skipped: ${missing}`);

describe.skipIf(Boolean(missing))('the image service on MariaDB', () => {
  let server: MariaDb;
  let image: Throwaway;
  beforeAll(async () => {
    server = await startMariaDb();
    image = await startThrowaway({ connection: await server.createDatabase('glance') });
  }, 240_000);
  afterAll(async () => {
    await image?.stop();
    await server?.stop();
  });

  const create = async (fields: Record<string, string> = {}) =>
    (await image.call('POST', '/v1/images', { headers: imageHeaders(fields), body: 'data' })).json().image;

  it('keeps, finds, pages, shares, changes and deletes images', async () => {
    const ids = new Set<string>();
    for (const name of ['a', 'b', 'c', 'd']) ids.add((await create({ name, 'property-set': 'yes' })).id);
    const seen: string[] = [];
    let path = '/v2/images?set=yes&limit=3&sort_key=name&sort_dir=asc';
    while (path) {
      const page = (await image.call('GET', path)).json();
      seen.push(...page.images.map((item: { name: string }) => item.name));
      path = page.next;
    }
    expect(seen).toEqual(['a', 'b', 'c', 'd']);
    const [id = ''] = ids;
    const put = await image.call('PUT', `/v1/images/${id}`, {
      headers: { 'x-image-meta-property-k': 'v', 'x-image-meta-protected': 'True' },
    });
    expect(put.json().image).toMatchObject({
      protected: true,
      properties: { k: 'v' },
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
    });
    await image.call('PUT', `/v1/images/${id}/members/tenant-bob`);
    expect((await image.call('GET', '/v1/images', { user: 'bob' })).json().images).toHaveLength(1);
    expect((await image.call('GET', '/v1/images?protected=True')).json().images).toHaveLength(1);
    expect((await image.call('GET', '/v1/images?changes-since=2012-01-01')).json().images).toHaveLength(4);
    await image.call('PUT', `/v1/images/${id}`, { headers: { 'x-image-meta-protected': 'False' } });
    expect((await image.call('PUT', `/v2/images/${id}/tags/t`)).status).toBe(204);
    expect((await image.call('GET', `/v2/images/${id}`)).json().tags).toEqual(['t']);
    expect((await image.call('DELETE', `/v1/images/${id}`)).status).toBe(200);
    expect(
      (await image.call('POST', '/v1/images', { headers: imageHeaders({ id }), body: 'x' })).status,
    ).toBe(409);
    expect(await image.files()).toHaveLength(3);
  });

  it('gives the same upload to one of many', async () => {
    const { id } = (await image.call('POST', '/v2/images', { body: {} })).json();
    const answers = await Promise.all(
      Array.from({ length: 8 }, (_, n) =>
        image.call('PUT', `/v2/images/${id}/file`, {
          headers: { 'content-type': 'application/octet-stream' },
          body: `writer ${n}`,
        }),
      ),
    );
    expect(answers.map(answer => answer.status).sort()).toEqual([201, ...Array(7).fill(409)]);
    const winner = answers.findIndex(answer => answer.status === 201);
    expect((await image.call('GET', `/v2/images/${id}/file`)).text).toBe(`writer ${winner}`);
  });
});
