import { imageHeaders } from '../access.ts';
import { same } from '../rest.ts';
import { course } from './course.ts';

const DATA = Buffer.from('an image of the everyday kind\n'.repeat(4000));

export const images = course('images', () => ({ id: '' }), {
  upload: async ({ demo }, bag) => {
    const made = await demo.image('POST', '/v1/images', { raw: DATA, headers: imageHeaders('everyday') });
    const { id, size, status } = made.json.image;
    same('the image', [size, status], [DATA.length, 'active']);
    bag.id = id;
  },
  list: async ({ demo }, { id }) => {
    const { images: listed } = (await demo.image('GET', '/v1/images/detail')).json;
    same('the name', listed.find((one: { id: string }) => one.id === id)?.name, 'everyday');
  },
  show: async ({ demo }, { id }) => {
    same(
      'the size',
      (await demo.image('HEAD', `/v1/images/${id}`)).headers.get('x-image-meta-size'),
      String(DATA.length),
    );
  },
  'a property': async ({ demo }, { id }) => {
    const headers = { 'x-image-meta-property-colour': 'green', 'x-glance-registry-purge-props': 'false' };
    await demo.image('PUT', `/v1/images/${id}`, { headers });
    same('it', (await demo.image('GET', `/v2/images/${id}`)).json.colour, 'green');
  },
  download: async ({ demo }, { id }) => {
    same('the data', (await demo.image('GET', `/v1/images/${id}`)).bytes.equals(DATA), true);
    same('the file', (await demo.image('GET', `/v2/images/${id}/file`)).bytes.equals(DATA), true);
  },
  'version 2 list': async ({ demo }, { id }) => {
    const { images: listed } = (await demo.image('GET', '/v2/images')).json;
    same(
      'in it',
      listed.some((one: { id: string }) => one.id === id),
      true,
    );
  },
  'seen by compute': async ({ demo }, { id }) => {
    same('the name', (await demo.compute('GET', `/images/${id}`)).json.image.name, 'everyday');
  },
  delete: async ({ demo }, { id }) => {
    await demo.image('DELETE', `/v1/images/${id}`);
    await demo.image('GET', `/v1/images/${id}`, { status: 404 });
  },
});
