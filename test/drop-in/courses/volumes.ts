import type { Login } from '../access.ts';
import { same, until } from '../rest.ts';
import { course } from './course.ts';
import { boot, destroy } from './server.ts';

/** Waits for the status of a volume or a snapshot. */
const is = ({ volume, rows }: Login, kind: 'volume' | 'snapshot', id: string | number, status: string) =>
  until(`${kind} ${status}`, async () => {
    await rows.volumeAtRest(kind, id);
    const shown = (await volume('GET', `/${kind}s/${id}`)).json[kind];
    if (shown.status.startsWith('error')) throw new Error(`${kind} is ${shown.status}, not ${status}`);
    return shown.status === status ? shown : undefined;
  });

const gone = ({ volume, rows }: Login, kind: 'volume' | 'snapshot', id: string | number) =>
  until(`${kind} gone`, async () => {
    await rows.volumeAtRest(kind, id);
    const { json } = await volume('GET', `/${kind}s/detail`);
    const found = json[`${kind}s`].find((one: { id: string | number }) => one.id === id);
    if (found?.status.startsWith('error')) throw new Error(`${kind} is ${found.status}`);
    return found === undefined ? true : undefined;
  });

export const volumes = course('volume', () => ({ id: '', snapshot: '', server: '' }), {
  create: async ({ demo }, bag) => {
    const body = { volume: { size: 1, display_name: 'everyday', display_description: 'of every day' } };
    bag.id = (await demo.volume('POST', '/volumes', { body })).json.volume.id;
    same('its size', (await is(demo, 'volume', bag.id, 'available')).size, 1);
  },
  list: async ({ demo }, { id }) => {
    const listed = (await demo.volume('GET', '/volumes/detail')).json.volumes;
    same('the name', listed.find((one: { id: string }) => one.id === id)?.display_name, 'everyday');
  },
  'seen by compute': async ({ demo }, { id }) => {
    same('the size', (await demo.compute('GET', `/os-volumes/${id}`)).json.volume.size, 1);
  },
  boot: async (access, bag) => {
    bag.server = (await boot(access, access.demo, 'with-volume')).id;
  },
  attach: async ({ demo }, { id, server }) => {
    const body = { volumeAttachment: { volumeId: id, device: '/dev/vdc' } };
    await demo.compute('POST', `/servers/${server}/os-volume_attachments`, { body });
    const { attachments } = await is(demo, 'volume', id, 'in-use');
    same('the server', attachments[0].server_id, server);
  },
  'attachments listed': async ({ demo }, { id, server }) => {
    const { volumeAttachments: listed } = (
      await demo.compute('GET', `/servers/${server}/os-volume_attachments`)
    ).json;
    same(
      'it',
      listed.map((one: { volumeId: string }) => one.volumeId),
      [id],
    );
  },
  detach: async ({ demo }, { id, server }) => {
    await demo.compute('DELETE', `/servers/${server}/os-volume_attachments/${id}`);
    await is(demo, 'volume', id, 'available');
  },
  'attached when the server goes': async ({ demo }, { id, server }) => {
    const body = { volumeAttachment: { volumeId: id, device: '/dev/vdc' } };
    await demo.compute('POST', `/servers/${server}/os-volume_attachments`, { body });
    await is(demo, 'volume', id, 'in-use');
    await destroy(demo, server);
    await is(demo, 'volume', id, 'available');
  },
  snapshot: async ({ demo }, bag) => {
    const body = { snapshot: { volume_id: bag.id, display_name: 'picture', force: false } };
    bag.snapshot = (await demo.volume('POST', '/snapshots', { body })).json.snapshot.id;
    await is(demo, 'snapshot', bag.snapshot, 'available');
  },
  'snapshot deleted': async ({ demo }, { snapshot }) => {
    await demo.volume('DELETE', `/snapshots/${snapshot}`);
    await gone(demo, 'snapshot', snapshot);
  },
  delete: async ({ demo }, { id }) => {
    await demo.volume('DELETE', `/volumes/${id}`);
    await gone(demo, 'volume', id);
    await demo.volume('GET', `/volumes/${id}`, { status: 404 });
  },
});
