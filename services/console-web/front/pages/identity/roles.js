import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Loaded, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';
import { keystone } from './keystone.js';

export function Roles() {
  const poll = usePoll(keystone.roles, []);
  const create = close => html`
    <${FormDialog}
      title=${t('identity.createRole')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        await keystone.createRole(form.get('name'));
        tell(t('told.created', { name: form.get('name') }));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('column.name')} name="name" required maxlength="64" />
    <//>
  `;
  const remove = role =>
    confirm({
      title: t('instances.delete', { name: role.name }),
      text: t('identity.deleteRoleText'),
      submit: t('action.delete'),
      run: async () => {
        await keystone.deleteRole(role.id);
        tell(t('told.deleted', { name: role.name }));
        await poll.refresh();
      },
    });
  return html`
    <div class="toolbar"><${Button} kind="primary" icon="plus" onClick=${() => openDialog(create)}>${t('identity.createRole')}<//></div>
    <${Loaded} poll=${poll}>
      ${roles => html`
        <${Table}
          label=${t('identity.roles')}
          rows=${roles}
          columns=${[
            { key: 'name', title: t('column.name'), cell: row => row.name },
            { key: 'id', title: t('column.id'), cell: row => html`<code>${row.id}</code>` },
          ]}
          actions=${row => row.name !== 'admin' && html`<${Button} kind="bare" icon="trash" label=${t('instances.delete', { name: row.name })} onClick=${() => remove(row)} />`}
        />
      `}
    <//>
  `;
}
