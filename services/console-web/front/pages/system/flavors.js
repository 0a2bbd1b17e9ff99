import { cloud, path } from '../../lib/api.js';
import { megabytes } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, CheckField, Loaded, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';

export function Flavors() {
  const poll = usePoll(
    async options => (await cloud.get('compute', 'flavors/detail?is_public=None', options)).flavors,
    [],
  );
  const create = close => html`
    <${FormDialog}
      title=${t('system.createFlavor')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const whole = name => Number(form.get(name));
        const flavor = {
          name: form.get('name'),
          id: String(form.get('id')),
          vcpus: whole('vcpus'),
          ram: whole('ram'),
          disk: whole('disk'),
          swap: whole('swap'),
          'OS-FLV-EXT-DATA:ephemeral': whole('ephemeral'),
          'os-flavor-access:is_public': form.get('public') !== null,
        };
        await cloud.post('compute', 'flavors', { flavor });
        tell(t('told.created', { name: flavor.name }));
        await poll.refresh();
      }}
    >
      <div class="fields">
        <${TextField} label=${t('column.name')} name="name" required maxlength="255" />
        <${TextField} label=${t('column.id')} name="id" required maxlength="255" />
        <${TextField} label=${t('quota.cores')} name="vcpus" type="number" min="1" value="1" required />
        <${TextField} label=${t('system.ramMb')} name="ram" type="number" min="1" value="512" required />
        <${TextField} label=${t('system.diskGb')} name="disk" type="number" min="0" value="0" required />
        <${TextField} label=${t('system.ephemeralGb')} name="ephemeral" type="number" min="0" value="0" required />
        <${TextField} label=${t('system.swapMb')} name="swap" type="number" min="0" value="0" required />
      </div>
      <${CheckField} label=${t('system.publicFlavor')} name="public" defaultChecked />
    <//>
  `;
  const remove = flavor =>
    confirm({
      title: t('instances.delete', { name: flavor.name }),
      text: t('system.deleteFlavorText'),
      submit: t('action.delete'),
      run: async () => {
        await cloud.delete('compute', path('flavors', flavor.id));
        tell(t('told.deleted', { name: flavor.name }));
        await poll.refresh();
      },
    });
  return html`
    <div class="toolbar"><${Button} kind="primary" icon="plus" onClick=${() => openDialog(create)}>${t('system.createFlavor')}<//></div>
    <${Loaded} poll=${poll}>
      ${flavors => html`
        <${Table}
          label=${t('system.flavors')}
          rows=${flavors}
          columns=${[
            { key: 'name', title: t('column.name'), cell: row => row.name },
            { key: 'vcpus', title: t('quota.cores'), end: true, cell: row => row.vcpus },
            { key: 'ram', title: t('quota.ram'), end: true, cell: row => megabytes(row.ram) },
            { key: 'disk', title: t('quota.disk'), end: true, cell: row => `${row.disk} GB` },
            {
              key: 'ephemeral',
              title: t('system.ephemeral'),
              end: true,
              cell: row => `${row['OS-FLV-EXT-DATA:ephemeral'] ?? 0} GB`,
            },
            {
              key: 'public',
              title: t('images.public'),
              cell: row => t(row['os-flavor-access:is_public'] === false ? 'state.no' : 'state.yes'),
            },
            { key: 'id', title: t('column.id'), cell: row => html`<code>${row.id}</code>` },
          ]}
          actions=${row => html`<${Button} kind="bare" icon="trash" label=${t('instances.delete', { name: row.name })} onClick=${() => remove(row)} />`}
        />
      `}
    <//>
  `;
}
