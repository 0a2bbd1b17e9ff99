import { cloud, path, session } from '../../lib/api.js';
import { ago } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { known, t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, Empty, Loaded, PageHead, SelectField, TextField } from '../../ui/parts.js';
import { Table, Tabs } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { openLaunch } from '../instances/open-launch.js';
import { Create } from './create.js';
import { nameOf } from './names.js';

const TONES = { available: 'good', 'in-use': 'good', error: 'bad', error_deleting: 'bad' };
/** States in which a snapshot can be taken. */
const SNAPSHOTTED = ['available', 'in-use'];
const MOVING_MS = 2_000;
const STILL_MS = 10_000;
const still = row => row.status in TONES;

const Status = ({ row }) =>
  html`<${Badge} tone=${TONES[row.status] ?? 'busy'}>${known(`volumeStatus.${row.status}`) ?? row.status}<//>`;

async function load(options) {
  const [{ volumes }, { snapshots }, { volume_types: types }, { servers }] = await Promise.all([
    cloud.get('volume', 'volumes/detail', options),
    cloud.get('volume', 'snapshots/detail', options),
    cloud.get('volume', 'types', options).catch(() => ({ volume_types: [] })),
    cloud.get('compute', 'servers?limit=1000', options),
  ]);
  return {
    volumes,
    snapshots,
    types,
    servers,
    names: new Map(servers.map(server => [server.id, server.name])),
  };
}

/** Volumes and their snapshots, by API v1. */
export default function Volumes() {
  const user = useStore(session);
  const poll = usePoll(load, [user.project.id], data =>
    [...data.volumes, ...data.snapshots].every(still) ? STILL_MS : MOVING_MS,
  );
  /** @param {any} Form @param {any} given */
  const dialog = (Form, given) =>
    openDialog(
      close => html`<${Form} ...${given} data=${poll.data} done=${poll.refresh} onClose=${close} />`,
    );
  return html`
    <${PageHead} title=${t('nav.volumes')}>
      <${Button} kind="primary" icon="plus" disabled=${!poll.data} onClick=${() => dialog(Create, {})}>${t('volumes.create')}<//>
    <//>
    <${Loaded} poll=${poll}>
      ${data => html`
        <${Tabs}
          label=${t('nav.volumes')}
          tabs=${[
            {
              key: 'volumes',
              title: t('nav.volumes'),
              draw: () => html`<${VolumeTable} data=${data} dialog=${dialog} done=${poll.refresh} />`,
            },
            {
              key: 'snapshots',
              title: t('volumes.snapshots'),
              draw: () => html`<${SnapshotTable} data=${data} dialog=${dialog} done=${poll.refresh} />`,
            },
          ]}
        />
      `}
    <//>
  `;
}

const attachmentOf = volume => volume.attachments?.find(entry => entry.server_id);

function VolumeTable({ data, dialog, done }) {
  const detach = async volume => {
    const { server_id: server } = attachmentOf(volume);
    try {
      await cloud.delete(
        'compute',
        `${path('servers', server)}/os-volume_attachments/${encodeURIComponent(volume.id)}`,
      );
      tell(t('told.detaching'));
      await done();
    } catch (error) {
      tellError(error);
    }
  };
  const menu = volume => [
    ...(volume.status === 'available'
      ? [{ text: t('volumes.attach'), run: () => dialog(Attach, { volume }) }]
      : []),
    ...(attachmentOf(volume) ? [{ text: t('volumes.detach'), run: () => detach(volume) }] : []),
    ...(volume.status === 'available'
      ? [{ text: t('volumes.start'), run: () => openLaunch({ start: volume.id, done }) }]
      : []),
    ...(SNAPSHOTTED.includes(volume.status)
      ? [{ text: t('do.snapshot'), run: () => dialog(Snapshot, { volume }) }]
      : []),
    { text: t('do.rename'), run: () => dialog(Rename, { row: volume, kind: 'volume' }) },
    ...(attachmentOf(volume)
      ? []
      : [null, { text: t('action.delete'), danger: true, run: () => remove('volumes', volume, done) }]),
  ];
  return html`
    <${Table}
      label=${t('nav.volumes')}
      rows=${data.volumes}
      empty=${html`<${Empty} icon="volumes" title=${t('volumes.none')} />`}
      columns=${[
        {
          key: 'name',
          title: t('column.name'),
          cell: row =>
            html`${nameOf(row)}${row.display_description && html`<div class="muted small-text">${row.display_description}</div>`}`,
        },
        { key: 'state', title: t('column.state'), cell: row => html`<${Status} row=${row} />` },
        { key: 'size', title: t('column.size'), end: true, cell: row => `${row.size} GB` },
        {
          key: 'type',
          title: t('volumes.type'),
          cell: row => (row.volume_type && row.volume_type !== 'None' ? row.volume_type : '–'),
        },
        {
          key: 'to',
          title: t('column.instance'),
          cell: row => {
            const to = attachmentOf(row);
            return to
              ? html`<a href=${`/instances/${to.server_id}`}>${data.names.get(to.server_id) ?? to.server_id}</a> <code>${to.device}</code>`
              : '–';
          },
        },
        { key: 'age', title: t('column.created'), cell: row => ago(row.created_at) },
      ]}
      actions=${row => html`<${Menu} label=${t('actions.of', { name: nameOf(row) })} items=${menu(row)} />`}
    />
  `;
}

function SnapshotTable({ data, dialog, done }) {
  const volumes = new Map(data.volumes.map(volume => [volume.id, nameOf(volume)]));
  return html`
    <${Table}
      label=${t('volumes.snapshots')}
      rows=${data.snapshots}
      empty=${html`<${Empty} icon="volumes" title=${t('volumes.noSnapshots')} />`}
      columns=${[
        { key: 'name', title: t('column.name'), cell: nameOf },
        { key: 'state', title: t('column.state'), cell: row => html`<${Status} row=${row} />` },
        { key: 'size', title: t('column.size'), end: true, cell: row => `${row.size} GB` },
        { key: 'of', title: t('volumes.one'), cell: row => volumes.get(row.volume_id) ?? row.volume_id },
        { key: 'age', title: t('column.created'), cell: row => ago(row.created_at) },
      ]}
      actions=${row => html`
        <${Menu}
          label=${t('actions.of', { name: nameOf(row) })}
          items=${[
            { text: t('volumes.fromSnapshot'), run: () => dialog(Create, { snapshot: row.id }) },
            { text: t('do.rename'), run: () => dialog(Rename, { row, kind: 'snapshot' }) },
            null,
            { text: t('action.delete'), danger: true, run: () => remove('snapshots', row, done) },
          ]}
        />
      `}
    />
  `;
}

const remove = (kind, row, done) =>
  confirm({
    title: t('instances.delete', { name: nameOf(row) }),
    text: t('volumes.deleteText'),
    submit: t('action.delete'),
    run: async () => {
      await cloud.delete('volume', path(kind, row.id));
      tell(t('told.deleting'));
      await done();
    },
  });

const Attach = ({ data, volume, done, onClose }) => html`
  <${FormDialog}
    title=${t('volumes.attach')}
    submit=${t('volumes.attach')}
    onClose=${onClose}
    onSubmit=${async form => {
      const where = `${path('servers', String(form.get('server')))}/os-volume_attachments`;
      await cloud.post('compute', where, {
        volumeAttachment: { volumeId: volume.id, device: form.get('device') || null },
      });
      tell(t('told.attaching'));
      await done();
    }}
  >
    <${SelectField} label=${t('column.instance')} name="server" required options=${data.servers.map(server => [server.id, server.name])} />
    <${TextField} label=${t('volumes.device')} name="device" value="/dev/vdb" hint=${t('volumes.deviceHint')} />
  <//>
`;

const Snapshot = ({ volume, done, onClose }) => html`
  <${FormDialog}
    title=${t('do.snapshot')}
    submit=${t('do.snapshot')}
    onClose=${onClose}
    onSubmit=${async form => {
      // An attached one only when asked: what the guest has not written is not in it.
      const snapshot = {
        volume_id: volume.id,
        display_name: form.get('name'),
        force: volume.status === 'in-use',
      };
      await cloud.post('volume', 'snapshots', { snapshot });
      tell(t('told.created', { name: form.get('name') }));
      await done();
    }}
  >
    <${TextField} label=${t('column.name')} name="name" required value=${`${nameOf(volume)}-snapshot`} />
    ${volume.status === 'in-use' && html`<p class="hint">${t('volumes.snapshotHint')}</p>`}
  <//>
`;

const Rename = ({ row, kind, done, onClose }) => html`
  <${FormDialog}
    title=${t('do.rename')}
    submit=${t('action.save')}
    onClose=${onClose}
    onSubmit=${async form => {
      await cloud.put('volume', path(`${kind}s`, row.id), {
        [kind]: { display_name: form.get('name'), display_description: form.get('description') },
      });
      tell(t('told.saved'));
      await done();
    }}
  >
    <${TextField} label=${t('column.name')} name="name" required value=${row.display_name ?? ''} />
    <${TextField} label=${t('column.description')} name="description" optional value=${row.display_description ?? ''} />
  <//>
`;
