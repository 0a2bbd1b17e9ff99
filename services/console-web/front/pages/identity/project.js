import { cloud, path, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Card, Empty, Loaded, PageHead, SelectField, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { keystone } from './keystone.js';

async function load(id, options) {
  const compute = session.get().services.includes('compute');
  const [tenant, users, roles, members, quota] = await Promise.all([
    keystone.tenant(id, options),
    keystone.users(options),
    keystone.roles(options),
    keystone.members(id, options),
    compute ? cloud.get('compute', path('os-quota-sets', id), options).then(body => body.quota_set) : null,
  ]);
  const withRoles = await Promise.all(
    members.map(async user => ({ ...user, roles: await keystone.rolesOf(id, user.id, options) })),
  );
  return { tenant, users, roles, members: withRoles, quota };
}

/** A project: who is in it as what, and how much it may use. */
export default function Project({ id }) {
  const poll = usePoll(options => load(id, options), [id]);
  const back = { href: '/identity', text: t('identity.projects') };
  if (poll.error && !poll.data)
    return html`<${PageHead} title=${t('column.project')} back=${back} /><${Empty} icon="identity" title=${poll.error.message} />`;
  return html`
    <${PageHead} title=${poll.data?.tenant.name ?? t('column.project')} sub=${poll.data?.tenant.description} back=${back} />
    <${Loaded} poll=${poll}>
      ${data => html`
        <${Members} id=${id} data=${data} done=${poll.refresh} />
        ${data.quota && html`<${Quota} id=${id} quota=${data.quota} done=${poll.refresh} />`}
      `}
    <//>
  `;
}

function Members({ id, data, done }) {
  const revoke = async (user, role) => {
    try {
      await keystone.revoke(id, user.id, role.id);
      tell(t('told.saved'));
      await done();
    } catch (error) {
      tellError(error);
    }
  };
  const add = close => html`
    <${FormDialog}
      title=${t('identity.addMember')}
      submit=${t('identity.addMember')}
      onClose=${close}
      onSubmit=${async form => {
        await keystone.grant(id, String(form.get('user')), String(form.get('role')));
        tell(t('told.saved'));
        await done();
      }}
    >
      <${SelectField} label=${t('login.user')} name="user" options=${data.users.map(user => [user.id, user.name])} />
      <${SelectField} label=${t('identity.role')} name="role" value=${data.roles.find(role => /member/i.test(role.name))?.id} options=${data.roles.map(role => [role.id, role.name])} />
    <//>
  `;
  return html`
    <${Card} title=${t('identity.members')} actions=${html`<${Button} small icon="plus" onClick=${() => openDialog(add)}>${t('identity.addMember')}<//>`}>
      <${Table}
        label=${t('identity.members')}
        rows=${data.members}
        empty=${html`<${Empty} icon="identity" title=${t('identity.noMembers')} />`}
        columns=${[
          { key: 'name', title: t('login.user'), cell: user => user.name },
          {
            key: 'roles',
            title: t('identity.roles'),
            cell: user =>
              user.roles.map(
                role =>
                  html`<span class="chip" key=${role.id}>${role.name}<button type="button" class="bare" aria-label=${t('identity.revoke', { role: role.name, user: user.name })} onClick=${() => revoke(user, role)}>×</button></span>`,
              ),
          },
        ]}
      />
    <//>
  `;
}

const LIMITS = [
  'instances',
  'cores',
  'ram',
  'floating_ips',
  'security_groups',
  'security_group_rules',
  'volumes',
  'gigabytes',
  'metadata_items',
  'injected_files',
  'injected_file_content_bytes',
];

function Quota({ id, quota, done }) {
  const names = LIMITS.filter(name => quota[name] !== undefined);
  const edit = close => html`
    <${FormDialog}
      title=${t('identity.quota')}
      submit=${t('action.save')}
      wide
      onClose=${close}
      onSubmit=${async form => {
        const changed = Object.fromEntries(
          names
            .map(name => [name, Number(form.get(name))])
            .filter(([name, value]) => value !== quota[String(name)]),
        );
        await cloud.put('compute', path('os-quota-sets', id), { quota_set: { tenant_id: id, ...changed } });
        tell(t('told.saved'));
        await done();
      }}
    >
      <p class="hint">${t('identity.quotaHint')}</p>
      <div class="fields">${names.map(name => html`<${TextField} key=${name} label=${t(`limit.${name}`)} name=${name} type="number" min="-1" required value=${quota[name]} />`)}</div>
    <//>
  `;
  return html`
    <${Card} title=${t('identity.quota')} actions=${html`<${Button} small icon="edit" onClick=${() => openDialog(edit)}>${t('action.edit')}<//>`}>
      <dl class="facts">${names.map(name => html`<div key=${name}><dt>${t(`limit.${name}`)}</dt><dd>${quota[name] < 0 ? '∞' : quota[name]}</dd></div>`)}</dl>
    <//>
  `;
}
