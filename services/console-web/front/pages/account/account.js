import { cloud, path, request, saveText, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Card, Copyable, Empty, Facts, Loaded, PageHead, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { cloudsYaml, openrc } from './files.js';

/** Who I am, files for the command lines, and pairs for EC2. */
export default function Account() {
  const user = useStore(session);
  const { project } = user;
  return html`
    <${PageHead} title=${t('nav.account')}><${ChangePassword} user=${user} /><//>
    <div class="grid">
      <${Card} title=${t('account.you')}>
        <${Facts}
          rows=${[
            [t('login.user'), user.user.name],
            [t('column.project'), project.name],
            [t('identity.roles'), user.roles.join(', ')],
            [t('account.projectId'), html`<${Copyable} text=${project.id} />`],
            [t('account.userId'), html`<${Copyable} text=${user.user.id} />`],
            [t('account.authUrl'), html`<${Copyable} text=${user.authUrl} />`],
          ]}
        />
      <//>
      <${Card} title=${t('account.files')}>
        <p class="muted">${t('account.filesHint')}</p>
        <div class="row top-gap">
          <${Button} icon="download" onClick=${() => saveText(`${project.name}-openrc.sh`, openrc(user))}>openrc<//>
          <${Button} icon="download" onClick=${() => saveText('clouds.yaml', cloudsYaml(user))}>clouds.yaml<//>
        </div>
      <//>
    </div>
    <${Ec2} user=${user} />
  `;
}

function ChangePassword({ user }) {
  const open = close => html`
    <${FormDialog}
      title=${t('account.changePassword')}
      submit=${t('action.save')}
      onClose=${close}
      onSubmit=${async form => {
        if (form.get('password') !== form.get('again')) throw new Error(t('account.differs'));
        await cloud.full('PATCH', 'identity', `v2.0/OS-KSCRUD/${path('users', user.user.id)}`, {
          body: { user: { password: form.get('password'), original_password: form.get('old') } },
        });
        // Its tokens ended with the old password.
        tell(t('account.changed'));
        await request('DELETE', '/api/session').catch(() => {});
        session.set(null);
      }}
    >
      <${TextField} label=${t('account.oldPassword')} name="old" type="password" autocomplete="current-password" required />
      <${TextField} label=${t('account.newPassword')} name="password" type="password" autocomplete="new-password" required />
      <${TextField} label=${t('account.again')} name="again" type="password" autocomplete="new-password" required />
    <//>
  `;
  return html`<${Button} onClick=${() => openDialog(open)}>${t('account.changePassword')}<//>`;
}

function Ec2({ user }) {
  const where = `v2.0/${path('users', user.user.id, 'credentials', 'OS-EC2')}`;
  const poll = usePoll(
    async options => (await cloud.get('identity', where, options)).credentials,
    [user.project.id],
  );
  const names = new Map(user.projects.map(({ id, name }) => [id, name]));
  const create = async () => {
    try {
      await cloud.post('identity', where, { tenant_id: user.project.id });
      await poll.refresh();
    } catch (error) {
      tellError(error);
    }
  };
  const remove = access =>
    confirm({
      title: t('instances.delete', { name: access }),
      text: t('account.deletePairText'),
      submit: t('action.delete'),
      run: async () => {
        await cloud.delete('identity', `${where}/${encodeURIComponent(access)}`);
        await poll.refresh();
      },
    });
  return html`
    <${Card} class="top-gap" title=${t('account.ec2')} actions=${html`<${Button} small icon="plus" onClick=${create}>${t('account.createPair')}<//>`}>
      <${Loaded} poll=${poll}>
        ${rows => html`
          <${Table}
            label=${t('account.ec2')}
            rows=${rows}
            keyOf=${row => row.access}
            empty=${html`<${Empty} icon="keys" title=${t('account.noPairs')} />`}
            columns=${[
              {
                key: 'project',
                title: t('column.project'),
                cell: row => names.get(row.tenant_id) ?? row.tenant_id,
              },
              {
                key: 'access',
                title: t('account.access'),
                cell: row => html`<${Copyable} text=${row.access} />`,
              },
              {
                key: 'secret',
                title: t('account.secret'),
                cell: row => html`<${Copyable} secret text=${row.secret} />`,
              },
            ]}
            actions=${row => html`<${Button} kind="bare" icon="trash" label=${t('instances.delete', { name: row.access })} onClick=${() => remove(row.access)} />`}
          />
        `}
      <//>
    <//>
  `;
}
