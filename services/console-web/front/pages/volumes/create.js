import { cloud } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { FormDialog } from '../../ui/dialog.js';
import { Loaded, SelectField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';
import { nameOf } from './names.js';

const GIB = 2 ** 30;

async function load(options) {
  const { images } = await cloud.get('image', 'v1/images/detail?limit=500&status=active', options);
  // Kernels and ramdisks are no disks.
  return { images: images.filter(image => !['ari', 'aki'].includes(image.container_format)) };
}

/** A new volume: empty, or with what a snapshot or an image holds. @param {any} props */
export function Create({ data, snapshot, done, onClose }) {
  const poll = usePoll(load, []);
  const from = data.snapshots.find(row => row.id === snapshot);
  const send = async form => {
    const text = name => String(form.get(name) ?? '');
    const volume = {
      size: Number(form.get('size')),
      display_name: text('name'),
      display_description: text('description'),
      ...(text('type') === '' ? {} : { volume_type: text('type') }),
      ...(text('snapshot') === '' ? {} : { snapshot_id: text('snapshot') }),
      ...(text('image') === '' ? {} : { imageRef: text('image') }),
    };
    await cloud.post('volume', 'volumes', { volume });
    tell(t('told.created', { name: volume.display_name }));
    await done();
  };
  const sized = image => `${image.name ?? image.id} · ${Math.max(1, Math.ceil(image.size / GIB))} GB`;
  const ready = data.snapshots.filter(row => row.status === 'available');
  return html`
    <${FormDialog} title=${t('volumes.create')} submit=${t('action.create')} onClose=${onClose} onSubmit=${send} disabled=${!poll.data}>
      <${TextField} label=${t('column.name')} name="name" required maxlength="255" />
      <${TextField} label=${t('column.description')} name="description" optional maxlength="255" />
      <${TextField} label=${t('volumes.size')} name="size" type="number" min=${from?.size ?? 1} value=${from?.size ?? 1} required />
      ${data.types.length > 0 && html`<${SelectField} label=${t('volumes.type')} name="type" options=${[['', '–'], ...data.types.map(({ name }) => [name, name])]} />`}
      ${ready.length > 0 && html`<${SelectField} label=${t('volumes.fromSnapshot')} name="snapshot" value=${snapshot ?? ''} options=${[['', '–'], ...ready.map(row => [row.id, nameOf(row)])]} />`}
      ${
        from === undefined &&
        html`<${Loaded} poll=${poll}>${({ images }) => html`<${SelectField} label=${t('volumes.fromImage')} name="image" value="" options=${[['', '–'], ...images.map(image => [image.id, sized(image)])]} />`}<//>`
      }
    <//>
  `;
}
