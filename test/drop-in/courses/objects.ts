import type { Login } from '../access.ts';
import { same, until } from '../rest.ts';
import { course } from './course.ts';

const DATA = Buffer.from('an object\n'.repeat(20_000));

/** How many objects a container says it has, as those who list it see them. */
export const listed = async ({ objects }: Login, container: string): Promise<number> =>
  (await objects('GET', `${container}?format=json`)).json.length;

export const objects = course('objects', () => ({ container: `/everyday-${Date.now()}` }), {
  'container made': async ({ demo }, { container }) => {
    await demo.objects('PUT', container, { headers: { 'x-container-meta-colour': 'green' } });
  },
  put: async ({ demo }, { container }) => {
    const headers = { 'content-type': 'text/plain', 'x-object-meta-kind': 'everyday' };
    await demo.objects('PUT', `${container}/a/first`, { raw: DATA, headers, status: 201 });
    await demo.objects('PUT', `${container}/second`, { raw: Buffer.alloc(0), headers, status: 201 });
  },
  get: async ({ demo }, { container }) => {
    const answer = await demo.objects('GET', `${container}/a/first`);
    same('the data', answer.bytes.equals(DATA), true);
    same('its kind', answer.headers.get('x-object-meta-kind'), 'everyday');
  },
  'a range': async ({ demo }, { container }) => {
    const headers = { range: 'bytes=3-8' };
    const answer = await demo.objects('GET', `${container}/a/first`, { headers, status: 206 });
    same('the bytes', answer.bytes.toString(), 'object');
  },
  list: async ({ demo }, { container }) => {
    // Container servers are told after the object is there.
    await until('both listed', async () => {
      const { json } = await demo.objects('GET', `${container}?format=json`);
      return json.length === 2 && json[0].bytes === DATA.length ? true : undefined;
    });
  },
  metadata: async ({ demo }, { container }) => {
    await demo.objects('POST', `${container}/a/first`, { headers: { 'x-object-meta-kind': 'changed' } });
    const answer = await demo.objects('HEAD', `${container}/a/first`);
    same('its kind', answer.headers.get('x-object-meta-kind'), 'changed');
  },
  copy: async ({ demo }, { container }) => {
    await demo.objects('PUT', `${container}/third`, {
      raw: Buffer.alloc(0),
      headers: { 'x-copy-from': `${container}/a/first` },
    });
    same('the copy', (await demo.objects('GET', `${container}/third`)).bytes.equals(DATA), true);
  },
  account: async ({ demo }, { container }) => {
    const { json } = await demo.objects('GET', '?format=json');
    same(
      'in it',
      json.some((one: { name: string }) => `/${one.name}` === container),
      true,
    );
  },
  delete: async ({ demo }, { container }) => {
    for (const name of ['a/first', 'second', 'third']) await demo.objects('DELETE', `${container}/${name}`);
    await demo.objects('GET', `${container}/second`, { status: 404 });
    await until('nothing listed', async () => ((await listed(demo, container)) === 0 ? true : undefined));
    await demo.objects('DELETE', container);
  },
});
