import { cloud, path } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Empty, Loaded, SelectField, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';

const EVERY_MS = 5_000;
const urlOf = server => `${path('servers', server.id)}/os-volume_attachments`;

/** The volumes of an instance. @param {any} props */
export function Attachments({ server }) {
  const poll = usePoll(
    async options => {
      const [{ volumeAttachments }, { volumes }] = await Promise.all([
        cloud.get('compute', urlOf(server), options),
        cloud.get('volume', 'volumes/detail', options),
      ]);
      return {
        attached: volumeAttachments,
        names: new Map(volumes.map(v => [v.id, v])),
        free: volumes.filter(v => v.status === 'available'),
      };
    },
    [server.id],
    EVERY_MS,
  );
  const detach = async volume => {
    try {
      await cloud.delete('compute', `${urlOf(server)}/${encodeURIComponent(volume)}`);
      tell(t('told.detaching'));
      await poll.refresh();
    } catch (error) {
      tellError(error);
    }
  };
  return html`
    <${Loaded} poll=${poll}>
      ${({ attached, names, free }) => html`
        <div class="toolbar">
          <${Button} small icon="plus" disabled=${free.length === 0} onClick=${() => openDialog(close => html`<${Attach} server=${server} free=${free} done=${poll.refresh} onClose=${close} />`)}>${t('volumes.attach')}<//>
        </div>
        <${Table}
          label=${t('nav.volumes')}
          rows=${attached}
          empty=${html`<${Empty} icon="volumes" title=${t('volumes.noneAttached')} />`}
          columns=${[
            {
              key: 'name',
              title: t('column.name'),
              cell: row => names.get(row.volumeId)?.display_name || row.volumeId,
            },
            { key: 'device', title: t('volumes.device'), cell: row => html`<code>${row.device}</code>` },
            {
              key: 'size',
              title: t('column.size'),
              end: true,
              cell: row => `${names.get(row.volumeId)?.size ?? '?'} GB`,
            },
          ]}
          actions=${row => html`<${Button} small onClick=${() => detach(row.volumeId)}>${t('volumes.detach')}<//>`}
        />
      `}
    <//>
  `;
}

function Attach({ server, free, done, onClose }) {
  const send = async form => {
    await cloud.post('compute', urlOf(server), {
      volumeAttachment: { volumeId: form.get('volume'), device: form.get('device') || null },
    });
    tell(t('told.attaching'));
    await done();
  };
  return html`
    <${FormDialog} title=${t('volumes.attach')} submit=${t('volumes.attach')} onClose=${onClose} onSubmit=${send}>
      <${SelectField} label=${t('volumes.one')} name="volume" options=${free.map(v => [v.id, `${v.display_name || v.id} · ${v.size} GB`])} />
      <${TextField} label=${t('volumes.device')} name="device" value="/dev/vdb" hint=${t('volumes.deviceHint')} />
    <//>
  `;
}
