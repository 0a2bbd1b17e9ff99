import { cloud, session } from '../../lib/api.js';
import { ago, bytes } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { openDialog } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, Empty, Loaded, PageHead } from '../../ui/parts.js';
import { holds, Search, Table } from '../../ui/table.js';
import { imageMenu } from './actions.js';
import { imageState } from './states.js';
import { UploadImage } from './upload.js';

const STEP = 100;
const MOVING_MS = 2_000;
const STILL_MS = 15_000;

async function load(count, options) {
  const query = new URLSearchParams({ limit: String(count + 1), sort_key: 'created_at', sort_dir: 'desc' });
  const { images } = await cloud.get('image', `v1/images/detail?${query}`, options);
  return { images: images.slice(0, count), more: images.length > count };
}

export default function Images() {
  const user = useStore(session);
  const [count, setCount] = useState(STEP);
  const [wanted, setWanted] = useState('');
  const poll = usePoll(
    options => load(count, options),
    [user.project.id, count],
    ({ images }) => (images.some(i => i.status === 'saving' || i.status === 'queued') ? MOVING_MS : STILL_MS),
  );
  const add = () => openDialog(close => html`<${UploadImage} done=${poll.refresh} onClose=${close} />`);
  return html`
    <${PageHead} title=${t('nav.images')}>
      <${Button} kind="primary" icon="upload" onClick=${add}>${t('images.add')}<//>
    <//>
    <div class="toolbar"><${Search} value=${wanted} onInput=${setWanted} /></div>
    <${Loaded} poll=${poll}>
      ${({ images, more }) => html`
        <${Table}
          label=${t('nav.images')}
          rows=${images.filter(i => holds(wanted, i.name, i.id, i.disk_format))}
          columns=${columns(user)}
          actions=${image => html`<${Menu} label=${t('actions.of', { name: image.name ?? image.id })} items=${imageMenu(image, { user, done: poll.refresh })} />`}
          more=${more ? () => setCount(count + STEP) : undefined}
          empty=${html`<${Empty} icon="images" title=${t('images.none')}><${Button} icon="upload" onClick=${add}>${t('images.add')}<//><//>`}
        />
      `}
    <//>
  `;
}

const columns = user => [
  {
    key: 'name',
    title: t('column.name'),
    cell: image => html`<a href=${`/images/${image.id}`}>${image.name || image.id}</a>`,
  },
  {
    key: 'state',
    title: t('column.state'),
    cell: image => html`<${Badge} tone=${imageState(image).tone}>${imageState(image).text}<//>`,
  },
  {
    key: 'seen',
    title: t('images.visible'),
    cell: image =>
      t(
        image.is_public
          ? 'images.public'
          : image.owner === user.project.id
            ? 'images.private'
            : 'images.shared',
      ),
  },
  { key: 'format', title: t('images.format'), cell: image => image.disk_format ?? '–' },
  { key: 'size', title: t('column.size'), end: true, cell: image => bytes(image.size) },
  {
    key: 'age',
    title: t('column.created'),
    cell: image => html`<span class="nowrap">${ago(image.created_at)}</span>`,
  },
];
