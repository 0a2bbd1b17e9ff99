import { cloud, path, session } from '../../lib/api.js';
import { bytes, number } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Button, CheckField, Empty, Loaded, PageHead, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell } from '../../ui/toasts.js';
import { PUBLIC_ACL } from './names.js';

const STEP = 200;

async function load(count, options) {
  const found = [];
  // The server pages by name.
  for (let marker = ''; ; marker = found.at(-1).name) {
    const limit = Math.min(1_000, count + 1 - found.length);
    const query = new URLSearchParams({
      format: 'json',
      limit: String(limit),
      ...(marker ? { marker } : {}),
    });
    const page = await cloud.get('object-store', `?${query}`, options);
    if (Array.isArray(page)) found.push(...page);
    if (!Array.isArray(page) || page.length < limit || found.length > count) break;
  }
  return { containers: found.slice(0, count), more: found.length > count };
}

export default function Containers() {
  const user = useStore(session);
  const [count, setCount] = useState(STEP);
  const poll = usePoll(options => load(count, options), [user.project.id, count]);
  const create = close => html`
    <${FormDialog}
      title=${t('objects.createContainer')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const name = String(form.get('name'));
        if (name.includes('/')) throw new Error(t('objects.noSlash'));
        const headers = form.get('public') ? { 'x-container-read': PUBLIC_ACL } : {};
        await cloud.put('object-store', path(name), undefined, { headers });
        tell(t('told.created', { name }));
        await poll.refresh();
      }}
    >
      <${TextField} label=${t('column.name')} name="name" required maxlength="256" />
      <${CheckField} label=${t('objects.public')} hint=${t('objects.publicHint')} name="public" />
    <//>
  `;
  const remove = name =>
    confirm({
      title: t('instances.delete', { name }),
      text: t('objects.deleteContainerText'),
      submit: t('action.delete'),
      run: async () => {
        await cloud.delete('object-store', path(name)).catch(error => {
          throw error.status === 409 ? new Error(t('objects.notEmpty')) : error;
        });
        tell(t('told.deleted', { name }));
        await poll.refresh();
      },
    });
  const add = () => openDialog(create);
  return html`
    <${PageHead} title=${t('nav.objects')} sub=${t('objects.sub')}>
      <${Button} kind="primary" icon="plus" onClick=${add}>${t('objects.createContainer')}<//>
    <//>
    <${Loaded} poll=${poll}>
      ${({ containers, more }) => html`
        <${Table}
          label=${t('nav.objects')}
          rows=${containers}
          keyOf=${row => row.name}
          more=${more ? () => setCount(count + STEP) : undefined}
          empty=${html`<${Empty} icon="objects" title=${t('objects.noContainers')}><${Button} icon="plus" onClick=${add}>${t('objects.createContainer')}<//><//>`}
          columns=${[
            {
              key: 'name',
              title: t('objects.container'),
              cell: row => html`<a href=${`/objects/${encodeURIComponent(row.name)}`}>${row.name}</a>`,
            },
            { key: 'count', title: t('objects.count'), end: true, cell: row => number(row.count) },
            { key: 'size', title: t('column.size'), end: true, cell: row => bytes(row.bytes) },
          ]}
          actions=${row => html`<${Button} kind="bare" icon="trash" label=${t('instances.delete', { name: row.name })} onClick=${() => remove(row.name)} />`}
        />
      `}
    <//>
  `;
}
