import { session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, CheckField, Loaded, TextField } from '../../ui/parts.js';
import { holds, Search, Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';
import { keystone } from './keystone.js';

export function Projects() {
  const [wanted, setWanted] = useState('');
  const poll = usePoll(keystone.tenants, []);
  const own = session.get().project.id;
  const edit = tenant => close =>
    html`
    <${FormDialog}
      title=${t(tenant ? 'identity.editProject' : 'identity.createProject')}
      submit=${t(tenant ? 'action.save' : 'action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const values = {
          name: form.get('name'),
          description: form.get('description'),
          enabled: form.get('enabled') !== null,
        };
        if (tenant) await keystone.updateTenant(tenant.id, { id: tenant.id, ...values });
        else await keystone.createTenant(values);
        tell(t('told.saved'));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('column.name')} name="name" required maxlength="64" value=${tenant?.name ?? ''} />
      <${TextField} label=${t('column.description')} name="description" optional value=${tenant?.description ?? ''} />
      <${CheckField} label=${t('column.enabled')} name="enabled" defaultChecked=${tenant?.enabled ?? true} />
    <//>
  `;
  const remove = tenant =>
    confirm({
      title: t('instances.delete', { name: tenant.name }),
      text: t('identity.deleteProjectText'),
      submit: t('action.delete'),
      run: async () => {
        await keystone.deleteTenant(tenant.id);
        tell(t('told.deleted', { name: tenant.name }));
        await poll.refresh();
      },
    });
  return html`
    <div class="toolbar">
      <${Search} value=${wanted} onInput=${setWanted} />
      <${Button} kind="primary" icon="plus" onClick=${() => openDialog(edit(null))}>${t('identity.createProject')}<//>
    </div>
    <${Loaded} poll=${poll}>
      ${tenants => html`
        <${Table}
          label=${t('identity.projects')}
          rows=${tenants.filter(row => holds(wanted, row.name, row.id, row.description)).sort((a, b) => a.name.localeCompare(b.name))}
          columns=${[
            {
              key: 'name',
              title: t('column.name'),
              cell: row => html`<a href=${`/identity/projects/${row.id}`}>${row.name}</a>`,
            },
            { key: 'description', title: t('column.description'), cell: row => row.description ?? '' },
            {
              key: 'enabled',
              title: t('column.enabled'),
              cell: row => html`<${Enabled} yes=${row.enabled} />`,
            },
            { key: 'id', title: t('column.id'), cell: row => html`<code>${row.id}</code>` },
          ]}
          actions=${row => html`
            <${Menu}
              label=${t('actions.of', { name: row.name })}
              items=${[
                { text: t('identity.membersAndQuota'), href: `/identity/projects/${row.id}` },
                { text: t('action.edit'), run: () => openDialog(edit(row)) },
                ...(row.id === own
                  ? []
                  : [null, { text: t('action.delete'), danger: true, run: () => remove(row) }]),
              ]}
            />
          `}
        />
      `}
    <//>
  `;
}

export const Enabled = ({ yes }) =>
  html`<${Badge} tone=${yes ? 'good' : 'plain'}>${t(yes ? 'state.yes' : 'state.no')}<//>`;
