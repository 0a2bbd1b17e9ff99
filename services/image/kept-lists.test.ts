import { join } from 'node:path';
import { type Database, openDatabase, toSqlTime } from '@folsom/db';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { imageHeaders, startThrowaway, type Throwaway } from './throwaway.ts';

describe('lists of images', () => {
  let image: Throwaway;
  /** What another process is: a connection of its own. */
  let other: Database;
  beforeAll(async () => {
    image = await startThrowaway();
    other = await openDatabase({ connection: `sqlite:///${join(image.directory, 'glance.sqlite')}` });
    for (const [name, user] of [
      ['first', 'alice'],
      ['second', 'alice'],
      ['bobs', 'bob'],
    ] as const) {
      const headers = imageHeaders({ name, 'property-colour': 'red' });
      expect((await image.call('POST', '/v1/images', { user, headers, body: name })).status).toBe(201);
    }
  });
  afterAll(async () => {
    await other.close();
    await image.stop();
  });

  const LISTS = [
    ['/v1/images', 'api'],
    ['/v1/images/detail', 'api'],
    ['/v2/images', 'api'],
    ['/images', 'registry'],
    ['/images/detail', 'registry'],
  ] as const;
  const names = async (path: string, to: 'api' | 'registry', user = 'alice'): Promise<string[]> => {
    const answer = await image.call('GET', path, { to, user });
    expect(answer.status).toBe(200);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=UTF-8');
    return (answer.json().images as { name: string }[]).map(({ name }) => name).sort();
  };

  it.each(LISTS)('%s of %s is read again only when something has changed', async (path, to) => {
    const before = await names(path, to);
    let statements = 0;
    const count = () => void statements++;
    image.db.knex.on('query', count);
    expect(await names(path, to)).toEqual(before);
    image.db.knex.removeListener('query', count);
    expect(statements).toBe(0);
  });

  it.each(LISTS)('%s of %s shows at once what another process changes', async (path, to) => {
    const at = { updated_at: toSqlTime(0) };
    expect(await names(path, to)).toEqual(['first', 'second']);
    await other
      .knex('images')
      .where({ name: 'second' })
      .update({ name: 'renamed', ...at });
    expect(await names(path, to)).toEqual(['first', 'renamed']);
    // The same moment is written: it is not by the time that a change is seen.
    await other
      .knex('images')
      .where({ name: 'renamed' })
      .update({ name: 'second', ...at });
    expect(await names(path, to)).toEqual(['first', 'second']);
  });

  it('shows at once what this process changes, properties and tags too', async () => {
    const listed = async () => {
      const { images } = (await image.call('GET', '/v2/images')).json();
      return (images as { id: string; name: string; colour: string; tags: string[] }[]).find(
        ({ name }) => name === 'first',
      )!;
    };
    const { id } = await listed();
    const tagged = await image.call('PUT', `/v2/images/${id}/tags/new`);
    expect(tagged.status).toBe(204);
    expect((await listed()).tags).toEqual(['new']);
    const headers = { 'x-image-meta-property-colour': 'blue' };
    expect((await image.call('PUT', `/v1/images/${id}`, { headers })).status).toBe(200);
    expect((await listed()).colour).toBe('blue');
    const detail = (await image.call('GET', '/v1/images/detail')).json().images;
    expect(detail.find((one: { id: string }) => one.id === id).properties).toEqual({ colour: 'blue' });
  });

  it.each(LISTS)('%s of %s is each caller his own, and administrators see theirs', async (path, to) => {
    expect(await names(path, to)).toEqual(['first', 'second']);
    expect(await names(path, to, 'bob')).toEqual(['bobs']);
    const all = `${path}?is_public=none`;
    if (path.startsWith('/v2')) return;
    expect(await names(all, to, 'admin')).toEqual(['bobs', 'first', 'second']);
    expect(await names(all, to, 'bob')).toEqual(['bobs']);
  });
});
