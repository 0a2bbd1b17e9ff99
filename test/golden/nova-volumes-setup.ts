import type { Step } from './replay.ts';

/** What the test does when volumes made off the record are to be in error, as they were while the recorder's driver did not work. */
export const BREAK_VOLUMES = 'break-volumes';
/** What it does when rows of servers are to be what the original left of a boot that it refused late. */
export const REFUSE_BOOTS = 'refuse-boots';
/** Their name. */
export const REFUSED = 'bdm';

const ADMIN_TENANT = '53a43163fa974c72a3c04bb643bbd660';
const RAW_TENANT = '1616803c863c404b8b0d9b061f5d9d10';
const CIRROS = '22e03ebe-e1fd-41f9-b59e-9a411e9e2780';
/** Volumes that the recorder had before those it recorded: of the first a server was booted. */
const BROKEN = 'b0eb2042-b94b-40fa-825e-364d7b2844e6';
const VMVOL = '9aac58c2-ab7c-4c0e-a308-496fd1d8b777';
const VOL2 = '6124fbef-b418-4bc1-aef3-16460d0cf25b';

const as = (tenant: string) => {
  const token = tenant === ADMIN_TENANT ? 'setup-token-admin' : '{{os-volumes-create:1:token:.+}}';
  const headers = { 'X-Auth-Token': token, 'Content-Type': 'application/json' };
  return (port: number, method: string, at: string, body?: unknown, bind?: Record<string, string>): Step => ({
    request: {
      port,
      method,
      path: `/${port === 8776 ? 'v1' : 'v2'}/${tenant}/${at}`,
      headers,
      ...(body === undefined ? {} : { body }),
    },
    ...(bind ? { bind } : {}),
  });
};
const admin = as(ADMIN_TENANT);
const raw = as(RAW_TENANT);

const volume = (by: typeof admin, id: string, fields: Record<string, unknown>): Step =>
  by(8776, 'POST', 'volumes', { volume: { size: 1, ...fields } }, { 'volume.id': id });
const server = (by: typeof admin, id: string, name: string, more: Record<string, unknown> = {}): Step =>
  by(
    8774,
    'POST',
    'block_device_mapping' in more ? 'os-volumes_boot' : 'servers',
    { server: { name, imageRef: CIRROS, flavorRef: '1', ...more } },
    { 'server.id': id },
  );

/** Servers of which rows are left where the original had made one before it refused the boot. */
function refusedBoots(): Step[] {
  const ids = ['aa1ba2fe-4553-42e6-a32b-b6cc93d87d67', '12adebec-cb24-4408-8be2-ae67ecc11c11'];
  return [...ids.map(id => server(raw, id, 'bdm')), ...ids.map(id => raw(8774, 'DELETE', `servers/${id}`))];
}

/**
 * Volumes and servers with volumes that the recorder made off the record, by the scenario before which it did: it recorded
 * volumes twice, first with a driver that made none, and only the second time is kept.
 */
export const volumesOffTheRecord = (): Record<string, Step[]> => ({
  'empty-body-post': [
    volume(admin, BROKEN, { display_name: 'vol1', display_description: 'desc' }),
    // The numbers of two types were used up.
    ...['a', 'b'].map(name => admin(8776, 'POST', 'types', { volume_type: { name } })),
    admin(8776, 'DELETE', 'types/1'),
    admin(8776, 'DELETE', 'types/2'),
    { hook: BREAK_VOLUMES },
  ],
  'boot-networks-fixed-ip': [
    volume(admin, 'ef5e1125-2c9f-4ea3-a299-906eded62006', { display_name: 'volsnap', size: 2 }),
    { hook: BREAK_VOLUMES },
  ],
  'boot-scheduler-hint-different-host': refusedBoots(),
  'boot-adminpass-empty': [
    server(admin, '74ca1e90-e04e-4e48-9776-3fbe14014ca6', 'vm-bdm', {
      block_device_mapping: [
        { volume_size: '', volume_id: BROKEN, delete_on_termination: '0', device_name: 'vdb' },
      ],
    }),
  ],
  delete: [
    volume(raw, '14048eb7-7ea7-4a65-88f3-3a7e40ecb839', { display_name: 'vx' }),
    volume(raw, 'd2bc5e37-1f95-4552-a9d1-0a5e2b004808', { display_name: 'fs' }),
    { hook: BREAK_VOLUMES },
  ],
  'os-volumes-create': [
    server(raw, 'd0ebbcac-5632-4b9d-b03b-bdba07d2f3d2', 'volsrv'),
    server(admin, VMVOL, 'vmvol'),
  ],
  // The original lost the first attachment of 540 and showed its volume as in use from then on.
  'volume-list-after-detach': [
    admin(8774, 'POST', `servers/${VMVOL}/os-volume_attachments`, {
      volumeAttachment: { volumeId: VOL2, device: '/dev/vdb' },
    }),
  ],
});
