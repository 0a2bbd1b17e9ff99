import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startThrowaway, type Throwaway } from './throwaway.ts';

describe('versions and login', () => {
  let image: Throwaway;
  beforeAll(async () => {
    image = await startThrowaway();
  });
  afterAll(() => image.stop());

  it('answers everything outside a version with the list of versions', async () => {
    for (const path of ['/', '/versions', '/v3', '/v3/images', '/bogus', '/v1', '/v2']) {
      const answer = await image.call('GET', path, { user: null });
      expect([path, answer.status]).toEqual([path, 300]);
      expect(answer.headers.get('content-type')).toBe('application/json');
      const { versions } = answer.json();
      expect(versions.map((version: { id: string }) => version.id)).toEqual(['v2.0', 'v1.1', 'v1.0']);
      expect(versions[1].links[0].href).toBe(`${image.api}/v1/`);
    }
  });

  it('takes every spelling of a version, and the media type', async () => {
    for (const path of [
      '/v1/',
      '/v1.0/images',
      '/v1.1/images',
      '//v1/images',
      '/v1/images.json',
      '/v2.0/images',
    ]) {
      expect([path, (await image.call('GET', path)).status]).toEqual([path, 200]);
    }
    const accept = (type: string) => image.call('GET', '/images', { headers: { accept: type } });
    expect((await accept('application/vnd.openstack.images-v1')).json()).toHaveProperty('images');
    expect((await accept('application/vnd.openstack.images-v9')).status).toBe(300);
  });

  it('asks for a token below a version', async () => {
    for (const path of ['/v1/images', '/v2/images', '/v1/bogus']) {
      for (const user of [null, 'nobody']) {
        const answer = await image.call('GET', path, { user });
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.text).toMatch(/^401 Unauthorized\n\nThis server could not verify/);
      }
    }
    const registry = await image.call('GET', '/images', { user: null, to: 'registry' });
    expect(registry.status).toBe(401);
    expect(registry.headers.get('www-authenticate')).toMatch(/^Keystone uri='/);
  });

  it('shows faults as HTML to those who ask for it', async () => {
    const answer = await image.call('GET', '/v1/images/%3Cb%3E', { headers: { accept: '*/*' } });
    expect(answer.headers.get('content-type')).toBe('text/html; charset=UTF-8');
    expect(answer.text).toContain('Image with identifier &lt;b&gt; not found');
  });
});
