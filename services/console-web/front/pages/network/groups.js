import { cloud, path, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Loaded, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';
import { inWords } from './rules.js';

const SHOWN = 3;

export function Groups() {
  const user = useStore(session);
  const poll = usePoll(
    async options => (await cloud.get('compute', 'os-security-groups', options)).security_groups,
    [user.project.id],
  );
  const create = close => html`
    <${FormDialog}
      title=${t('groups.create')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const name = String(form.get('name'));
        await cloud.post('compute', 'os-security-groups', {
          security_group: { name, description: String(form.get('description')) || name },
        });
        tell(t('told.created', { name }));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('column.name')} name="name" required maxlength="255" />
      <${TextField} label=${t('column.description')} name="description" optional maxlength="255" />
    <//>
  `;
  const remove = group =>
    confirm({
      title: t('instances.delete', { name: group.name }),
      text: t('groups.deleteText'),
      submit: t('action.delete'),
      run: async () => {
        await cloud.delete('compute', path('os-security-groups', group.id));
        tell(t('told.deleted', { name: group.name }));
        await poll.refresh();
      },
    });
  return html`
    <div class="toolbar"><${Button} kind="primary" icon="plus" onClick=${() => openDialog(create)}>${t('groups.create')}<//></div>
    <${Loaded} poll=${poll}>
      ${groups => html`
        <${Table}
          label=${t('nav.groups')}
          rows=${groups}
          columns=${[
            {
              key: 'name',
              title: t('column.name'),
              cell: group => html`<a href=${`/network/groups/${group.id}`}>${group.name}</a>`,
            },
            { key: 'description', title: t('column.description'), cell: group => group.description },
            {
              key: 'rules',
              title: t('groups.rules'),
              cell: group =>
                group.rules.length === 0
                  ? html`<span class="muted">${t('groups.closed')}</span>`
                  : html`
                      ${group.rules.slice(0, SHOWN).map(rule => html`<div key=${rule.id}>${inWords(rule)}</div>`)}
                      ${group.rules.length > SHOWN && html`<div class="muted">${t('groups.more', { count: group.rules.length - SHOWN })}</div>`}
                    `,
            },
          ]}
          actions=${group => group.name !== 'default' && html`<${Button} kind="bare" icon="trash" label=${t('instances.delete', { name: group.name })} onClick=${() => remove(group)} />`}
        />
      `}
    <//>
  `;
}
