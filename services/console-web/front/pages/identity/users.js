import { session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Button, CheckField, Loaded, SelectField, TextField } from '../../ui/parts.js';
import { holds, Search, Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { keystone } from './keystone.js';
import { Enabled } from './projects.js';

async function load(options) {
  const [users, tenants, roles] = await Promise.all([
    keystone.users(options),
    keystone.tenants(options),
    keystone.roles(options),
  ]);
  return { users, tenants, roles, names: new Map(tenants.map(tenant => [tenant.id, tenant.name])) };
}

export function Users() {
  const [wanted, setWanted] = useState('');
  const poll = usePoll(load, []);
  const own = session.get().user.id;
  const done = async () => {
    tell(t('told.saved'));
    await poll.refresh();
  };
  const edit = user => close =>
    html`
    <${FormDialog}
      title=${t(user ? 'identity.editUser' : 'identity.createUser')}
      submit=${t(user ? 'action.save' : 'action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const values = {
          name: form.get('name'),
          email: form.get('email'),
          enabled: form.get('enabled') !== null,
        };
        if (user) await keystone.updateUser(user.id, values);
        else {
          const tenant = String(form.get('tenant'));
          const made = await keystone.createUser({
            ...values,
            password: form.get('password'),
            ...(tenant === '' ? {} : { tenantId: tenant }),
          });
          const role = String(form.get('role') ?? '');
          if (tenant !== '' && role !== '') await keystone.grant(tenant, made.user.id, role);
        }
        await done();
      }}
    >
      <${TextField} label=${t('login.user')} name="name" required maxlength="64" value=${user?.name ?? ''} />
      <${TextField} label=${t('identity.email')} name="email" type="email" optional value=${user?.email ?? ''} />
      ${
        !user &&
        html`
          <${TextField} label=${t('login.password')} name="password" type="password" autocomplete="new-password" required />
          <${SelectField} label=${t('column.project')} name="tenant" options=${[['', '–'], .../** @type {any} */ (poll.data).tenants.map(row => [row.id, row.name])]} />
          <${SelectField} label=${t('identity.role')} name="role" value=${/** @type {any} */ (poll.data).roles.find(role => /member/i.test(role.name))?.id} options=${/** @type {any} */ (poll.data).roles.map(row => [row.id, row.name])} />
        `
      }
      <${CheckField} label=${t('column.enabled')} name="enabled" defaultChecked=${user?.enabled ?? true} />
    <//>
  `;
  const password = user => close =>
    html`
    <${FormDialog}
      title=${t('identity.passwordOf', { name: user.name })}
      submit=${t('action.save')}
      onClose=${close}
      onSubmit=${async form => {
        await keystone.setPassword(user.id, form.get('password'));
        await done();
      }}
    >
      <${TextField} label=${t('account.newPassword')} name="password" type="password" autocomplete="new-password" required hint=${t('identity.passwordHint')} />
    <//>
  `;
  const enable = async user => {
    try {
      await keystone.setEnabled(user.id, !user.enabled);
      await done();
    } catch (error) {
      tellError(error);
    }
  };
  const remove = user =>
    confirm({
      title: t('instances.delete', { name: user.name }),
      text: t('identity.deleteUserText'),
      submit: t('action.delete'),
      run: async () => {
        await keystone.deleteUser(user.id);
        tell(t('told.deleted', { name: user.name }));
        await poll.refresh();
      },
    });
  return html`
    <div class="toolbar">
      <${Search} value=${wanted} onInput=${setWanted} />
      <${Button} kind="primary" icon="plus" disabled=${!poll.data} onClick=${() => openDialog(edit(null))}>${t('identity.createUser')}<//>
    </div>
    <${Loaded} poll=${poll}>
      ${({ users, names }) => html`
        <${Table}
          label=${t('identity.users')}
          rows=${users.filter(row => holds(wanted, row.name, row.id, row.email)).sort((a, b) => a.name.localeCompare(b.name))}
          columns=${[
            { key: 'name', title: t('column.name'), cell: row => row.name },
            { key: 'email', title: t('identity.email'), cell: row => row.email ?? '–' },
            { key: 'project', title: t('identity.ownProject'), cell: row => names.get(row.tenantId) ?? '–' },
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
                { text: t('action.edit'), run: () => openDialog(edit(row)) },
                { text: t('identity.setPassword'), run: () => openDialog(password(row)) },
                ...(row.id === own
                  ? []
                  : [
                      {
                        text: t(row.enabled ? 'identity.disable' : 'identity.enable'),
                        run: () => enable(row),
                      },
                      null,
                      { text: t('action.delete'), danger: true, run: () => remove(row) },
                    ]),
              ]}
            />
          `}
        />
      `}
    <//>
  `;
}
