import { cloud, path, saveText, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, Empty, Loaded, PageHead, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';

/** Key pairs: made here, or brought along. */
export default function Keys() {
  const user = useStore(session);
  const poll = usePoll(
    async options =>
      (await cloud.get('compute', 'os-keypairs', options)).keypairs.map(({ keypair }) => keypair),
    [user.project.id],
  );
  const create = close => html`
    <${FormDialog}
      title=${t('keys.create')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const { keypair } = await cloud.post('compute', 'os-keypairs', {
          keypair: { name: form.get('name') },
        });
        // The only time that anybody sees it.
        saveText(`${keypair.name}.pem`, keypair.private_key, 'application/x-pem-file');
        tell(t('told.created', { name: keypair.name }));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('keys.name')} name="name" required maxlength="255" hint=${t('launch.newKeyHint')} />
    <//>
  `;
  const bring = close => html`
    <${FormDialog}
      title=${t('keys.import')}
      submit=${t('keys.import')}
      onClose=${close}
      onSubmit=${async form => {
        const keypair = { name: form.get('name'), public_key: String(form.get('key')).trim() };
        await cloud.post('compute', 'os-keypairs', { keypair });
        tell(t('told.created', { name: keypair.name }));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('keys.name')} name="name" required maxlength="255" />
      <${TextField} label=${t('keys.public')} name="key" multiline required spellcheck=${false} placeholder="ssh-rsa AAAA… me@example.org" />
    <//>
  `;
  const remove = name =>
    confirm({
      title: t('keys.delete', { name }),
      text: t('keys.deleteText'),
      submit: t('action.delete'),
      run: async () => {
        await cloud.delete('compute', path('os-keypairs', name));
        tell(t('told.deleted', { name }));
        await poll.refresh();
      },
    });
  return html`
    <${PageHead} title=${t('nav.keys')} sub=${t('keys.sub')}>
      <${Button} onClick=${() => openDialog(bring)}>${t('keys.import')}<//>
      <${Button} kind="primary" icon="plus" onClick=${() => openDialog(create)}>${t('keys.create')}<//>
    <//>
    <${Loaded} poll=${poll}>
      ${rows => html`
        <${Table}
          label=${t('nav.keys')}
          rows=${rows}
          keyOf=${row => row.name}
          empty=${html`<${Empty} icon="keys" title=${t('keys.none')} />`}
          columns=${[
            { key: 'name', title: t('column.name'), cell: row => row.name },
            {
              key: 'print',
              title: t('keys.fingerprint'),
              cell: row => html`<code>${row.fingerprint}</code>`,
            },
          ]}
          actions=${row => html`<${Button} kind="bare" icon="trash" label=${t('keys.delete', { name: row.name })} onClick=${() => remove(row.name)} />`}
        />
      `}
    <//>
  `;
}
