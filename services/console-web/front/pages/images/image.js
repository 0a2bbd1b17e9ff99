import { cloud, path, session, textOfHeader } from '../../lib/api.js';
import { bytes, gigabytes, megabytes, when } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Card, Copyable, Empty, Facts, Loaded, PageHead } from '../../ui/parts.js';
import { imageMenu } from './actions.js';
import { imageState } from './states.js';

const EVERY_MS = 5_000;

/** Version 1 says everything about an image in headers. */
async function load(id, options) {
  const { headers } = await cloud.full('HEAD', 'image', `v1/${path('images', id)}`, options);
  const text = name => headers.get(`x-image-meta-${name}`) ?? '';
  const properties = {};
  for (const [name, value] of headers) {
    const key = /^x-image-meta-property-(.*)$/.exec(name)?.[1];
    if (key) properties[key] = textOfHeader(value);
  }
  const yes = name => text(name).toLowerCase() === 'true';
  return {
    id: text('id'),
    name: textOfHeader(text('name')),
    status: text('status'),
    size: Number(text('size')),
    owner: text('owner'),
    is_public: yes('is_public'),
    protected: yes('protected'),
    disk_format: text('disk_format'),
    container_format: text('container_format'),
    checksum: text('checksum'),
    created_at: text('created_at'),
    updated_at: text('updated_at'),
    min_disk: Number(text('min_disk')),
    min_ram: Number(text('min_ram')),
    properties,
  };
}

export default function Image({ id }) {
  const user = useStore(session);
  const poll = usePoll(options => load(id, options), [id], EVERY_MS);
  const back = { href: '/images', text: t('nav.images') };
  if (poll.error?.status === 404) {
    return html`<${PageHead} title=${t('column.image')} back=${back} /><${Empty} icon="images" title=${t('images.notFound')} />`;
  }
  return html`
    <${PageHead} title=${poll.data?.name || t('column.image')} back=${back} sub=${poll.data && html`<${Badge} tone=${imageState(poll.data).tone}>${imageState(poll.data).text}<//>`}>
      ${poll.data && html`<${Menu} label=${t('actions.of', { name: poll.data.name })} icon="" text=${t('column.actions')} kind="" items=${imageMenu(poll.data, { user, done: poll.refresh })} />`}
    <//>
    <${Loaded} poll=${poll}>
      ${image => html`
        <div class="grid">
          <${Card} title=${t('instance.facts')}>
            <${Facts}
              rows=${[
                [t('column.size'), bytes(image.size)],
                [t('images.format'), `${image.disk_format} · ${image.container_format}`],
                [
                  t('images.visible'),
                  t(
                    image.is_public
                      ? 'images.public'
                      : image.owner === user.project.id
                        ? 'images.private'
                        : 'images.shared',
                  ),
                ],
                [t('images.protect'), t(image.protected ? 'state.yes' : 'state.no')],
                [t('images.minDisk'), gigabytes(image.min_disk)],
                [t('images.minRam'), megabytes(image.min_ram)],
                [t('column.created'), when(image.created_at)],
                [t('column.updated'), when(image.updated_at)],
                [t('images.checksum'), image.checksum ? html`<${Copyable} text=${image.checksum} />` : '–'],
                [t('column.id'), html`<${Copyable} text=${image.id} />`],
              ]}
            />
          <//>
          <${Card} title=${t('images.properties')}>
            ${Object.keys(image.properties).length === 0 ? html`<p class="muted">${t('state.nothing')}</p>` : html`<${Facts} rows=${Object.entries(image.properties)} />`}
          <//>
        </div>
      `}
    <//>
  `;
}
