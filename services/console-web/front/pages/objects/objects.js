import { cloud, path, session } from '../../lib/api.js';
import { ago, bytes } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useRef, useState } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Icon } from '../../ui/icons.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, Copyable, Empty, Loaded, PageHead, Progress, TextField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { objectMenu } from './actions.js';
import { isPublic, objectPath, PUBLIC_ACL, publicUrl } from './names.js';
import { cancel, enqueue, filesOf, uploads } from './uploads.js';

const PAGE = 100;

/** One page of a folder: what costs is what is shown, however many there are. */
async function load(container, prefix, marker, options) {
  const query = new URLSearchParams({
    format: 'json',
    delimiter: '/',
    limit: String(PAGE + 1),
    ...(prefix ? { prefix } : {}),
    ...(marker ? { marker } : {}),
  });
  const [{ body: rows }, { headers }] = await Promise.all([
    cloud.full('GET', 'object-store', `${path(container)}?${query}`, options),
    cloud.full('HEAD', 'object-store', path(container), options),
  ]);
  const listed = (Array.isArray(rows) ? rows : []).filter(row => row.name !== prefix);
  return {
    rows: listed.slice(0, PAGE),
    more: listed.length > PAGE,
    shared: isPublic(headers.get('x-container-read')),
  };
}

const nameOf = row => row.subdir ?? row.name;

export default function Objects({ container, rest = '' }) {
  const user = useStore(session);
  const prefix = rest === '' ? '' : `${rest}/`;
  const [markers, setMarkers] = useState(['']);
  const [chosen, setChosen] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const poll = usePoll(
    options => load(container, prefix, markers.at(-1), options),
    [user.project.id, container, prefix, markers.length],
  );
  const back = { href: '/objects', text: t('nav.objects') };
  if (poll.error?.status === 404 || poll.error?.status === 403)
    return html`<${PageHead} title=${container} back=${back} /><${Empty} icon="objects" title=${t('objects.notFound')} />`;
  const send = files =>
    enqueue(
      container,
      files.map(({ name, file }) => ({ name: prefix + name, file })),
      poll.refresh,
    );
  const share = async yes => {
    try {
      await cloud.post('object-store', path(container), undefined, {
        headers: { 'x-container-read': yes ? PUBLIC_ACL : '' },
      });
      tell(t(yes ? 'objects.nowPublic' : 'objects.nowPrivate'));
      await poll.refresh();
    } catch (error) {
      tellError(error);
    }
  };
  const removeChosen = () =>
    confirm({
      title: t('instances.deleteMany', { count: chosen.size }),
      text: t('objects.deleteText'),
      submit: t('action.delete'),
      run: async () => {
        for (const name of chosen) await removeAll(container, name);
        setChosen(new Set());
        await poll.refresh();
      },
    });
  const choose = (name, yes) => {
    const next = new Set(chosen);
    if (yes) next.add(name);
    else next.delete(name);
    setChosen(next);
  };
  return html`
    <${PageHead} title=${container} back=${back} sub=${poll.data?.shared && html`<${Badge} tone="warn">${t('objects.isPublic')}<//>`}>
      <${NewFolder} container=${container} prefix=${prefix} done=${poll.refresh} />
      ${poll.data && html`<${Button} icon="link" onClick=${() => share(!poll.data?.shared)}>${t(poll.data.shared ? 'objects.makePrivate' : 'objects.makePublic')}<//>`}
    <//>
    <${Crumbs} container=${container} prefix=${prefix} />
    ${poll.data?.shared && html`<p class="hint">${t('objects.publicLink')} <${Copyable} text=${publicUrl(user.objectUrl, container, prefix)} /></p>`}
    <${Drop} send=${send} />
    <${Uploads} />
    ${chosen.size > 0 && html`<div class="toolbar"><${Button} kind="danger" icon="trash" onClick=${removeChosen}>${t('instances.deleteMany', { count: chosen.size })}<//></div>`}
    <${Loaded} poll=${poll}>
      ${({ rows, more, shared }) => html`
        <${Table}
          label=${container}
          rows=${rows}
          keyOf=${nameOf}
          empty=${html`<${Empty} icon="folder" title=${t('objects.none')} />`}
          columns=${columns(container, prefix, chosen, choose)}
          actions=${row =>
            row.subdir
              ? null
              : html`<${Menu} label=${t('actions.of', { name: row.name })} items=${objectMenu({ container, object: row, shared, base: user.objectUrl, done: poll.refresh })} />`}
        />
        <nav class="pages row" aria-label=${t('objects.pages')}>
          <${Button} small disabled=${markers.length === 1} onClick=${() => setMarkers(markers.slice(0, -1))}>${t('objects.previous')}<//>
          <span class="muted">${t('objects.page', { page: markers.length })}</span>
          <${Button} small disabled=${!more} onClick=${() => setMarkers([...markers, nameOf(rows.at(-1))])}>${t('objects.next')}<//>
        </nav>
      `}
    <//>
  `;
}

const columns = (container, prefix, chosen, choose) => [
  {
    key: 'name',
    title: t('column.name'),
    cell: row => {
      const name = nameOf(row);
      const shown = name.slice(prefix.length);
      return html`
        <span class="name-cell">
          <input type="checkbox" aria-label=${t('action.choose', { name: shown })} checked=${chosen.has(name)} onChange=${event => choose(name, event.currentTarget.checked)} />
          <${Icon} name=${row.subdir ? 'folder' : 'file'} />
          ${
            row.subdir
              ? html`<a href=${`/objects/${encodeURIComponent(container)}/${name.replace(/\/$/, '').split('/').map(encodeURIComponent).join('/')}`}>${shown}</a>`
              : html`<a href=${cloud.url('object-store', objectPath(container, name))} download>${shown}</a>`
          }
        </span>
      `;
    },
  },
  {
    key: 'type',
    title: t('objects.type'),
    cell: row => (row.subdir ? t('objects.folder') : row.content_type),
  },
  { key: 'size', title: t('column.size'), end: true, cell: row => (row.subdir ? '' : bytes(row.bytes)) },
  {
    key: 'age',
    title: t('column.updated'),
    cell: row => (row.subdir ? '' : html`<span class="nowrap">${ago(row.last_modified)}</span>`),
  },
];

const Crumbs = ({ container, prefix }) => {
  const parts = prefix.split('/').filter(part => part !== '');
  const to = count => `/objects/${[container, ...parts.slice(0, count)].map(encodeURIComponent).join('/')}`;
  if (parts.length === 0) return null;
  return html`
    <ol class="crumbs" aria-label=${t('objects.path')}>
      <li><a href=${to(0)}>${container}</a></li>
      ${parts.map((part, at) => html`<li key=${at}>${at === parts.length - 1 ? html`<span aria-current="page">${part}</span>` : html`<a href=${to(at + 1)}>${part}</a>`}</li>`)}
    </ol>
  `;
};

function NewFolder({ container, prefix, done }) {
  const open = close => html`
    <${FormDialog}
      title=${t('objects.newFolder')}
      submit=${t('action.create')}
      onClose=${close}
      onSubmit=${async form => {
        const name = `${prefix}${String(form.get('name')).replace(/\/+$/, '')}/`;
        await cloud.put('object-store', objectPath(container, name), '', {
          headers: { 'content-type': 'application/directory' },
        });
        await done();
      }}
    >
      <${TextField} label=${t('column.name')} name="name" required maxlength="900" />
    <//>
  `;
  return html`<${Button} icon="folder" onClick=${() => openDialog(open)}>${t('objects.newFolder')}<//>`;
}

function Drop({ send }) {
  const [over, setOver] = useState(false);
  const files = useRef(/** @type {HTMLInputElement | null} */ (null));
  const folder = useRef(/** @type {HTMLInputElement | null} */ (null));
  const picked = event => {
    send([...event.currentTarget.files].map(file => ({ name: file.webkitRelativePath || file.name, file })));
    event.currentTarget.value = '';
  };
  const dropped = async event => {
    event.preventDefault();
    setOver(false);
    send(await filesOf(event.dataTransfer));
  };
  return html`
    <div
      class=${`drop ${over ? 'over' : ''}`}
      onDragOver=${event => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave=${() => setOver(false)}
      onDrop=${dropped}
    >
      <p>${t('upload.drop')}</p>
      <div class="row center">
        <${Button} icon="upload" onClick=${() => files.current?.click()}>${t('upload.files')}<//>
        <${Button} icon="folder" onClick=${() => folder.current?.click()}>${t('upload.folder')}<//>
      </div>
      <input class="hidden" type="file" multiple tabindex="-1" aria-label=${t('upload.files')} data-kind="files" ref=${files} onChange=${picked} />
      <input class="hidden" type="file" webkitdirectory tabindex="-1" aria-label=${t('upload.folder')} data-kind="folder" ref=${folder} onChange=${picked} />
    </div>
  `;
}

function Uploads() {
  const entries = useStore(uploads);
  if (entries.length === 0) return null;
  return html`
    <ul class="lines uploads" aria-label=${t('upload.running')}>
      ${entries.slice(0, 20).map(
        entry => html`
          <li key=${entry.id}>
            <div>
              <span>${entry.name}</span> <span class="muted">${bytes(entry.size)}</span>
              ${entry.error ? html`<p class="bad-text" role="alert">${entry.error}</p>` : html`<${Progress} part=${entry.part} label=${entry.name} />`}
            </div>
            <${Button} kind="bare" icon="close" label=${t('upload.cancel', { name: entry.name })} onClick=${() => cancel(entry)} />
          </li>
        `,
      )}
      ${entries.length > 20 && html`<li class="muted">${t('groups.more', { count: entries.length - 20 })}</li>`}
    </ul>
  `;
}

/** An object, or everything below a folder. */
async function removeAll(container, name) {
  const gone = async one => {
    await cloud.delete('object-store', objectPath(container, one)).catch(error => {
      if (error.status !== 404) throw error;
    });
  };
  if (!name.endsWith('/')) return gone(name);
  for (;;) {
    const query = new URLSearchParams({ format: 'json', prefix: name, limit: '100' });
    const rows = await cloud.get('object-store', `${path(container)}?${query}`);
    if (!Array.isArray(rows) || rows.length === 0) return;
    for (const row of rows) await gone(row.name);
  }
}
