import { cloud, headerText, path, upload } from '../../lib/api.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { FormDialog } from '../../ui/dialog.js';
import { Pairs } from '../../ui/pairs.js';
import { CheckField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';

/** Name, visibility, protection, what it needs, and its properties. @param {any} props */
export function EditImage({ image, done, onClose }) {
  const send = async form => {
    const properties = JSON.parse(form.get('properties'));
    const headers = {
      'x-image-meta-name': headerText(form.get('name')),
      'x-image-meta-is_public': form.get('public') ? 'True' : 'False',
      'x-image-meta-protected': form.get('protected') ? 'True' : 'False',
      'x-image-meta-min_disk': String(Number(form.get('minDisk')) || 0),
      'x-image-meta-min_ram': String(Number(form.get('minRam')) || 0),
      'x-glance-registry-purge-props': 'True',
    };
    for (const [name, value] of Object.entries(properties))
      headers[`x-image-meta-property-${name}`] = headerText(value);
    await upload('PUT', cloud.url('image', `v1/${path('images', image.id)}`), null, { headers });
    tell(t('told.saved'));
    await done();
  };
  return html`
    <${FormDialog} title=${t('images.edit')} submit=${t('action.save')} onClose=${onClose} onSubmit=${send}>
      <${TextField} label=${t('column.name')} name="name" required maxlength="255" value=${image.name ?? ''} />
      <div class="columns">
        <${TextField} label=${t('images.minDisk')} name="minDisk" type="number" min="0" value=${image.min_disk} />
        <${TextField} label=${t('images.minRam')} name="minRam" type="number" min="0" value=${image.min_ram} />
      </div>
      <${CheckField} label=${t('images.makePublic')} name="public" defaultChecked=${image.is_public} />
      <${CheckField} label=${t('images.protect')} name="protected" defaultChecked=${image.protected} />
      <fieldset><legend>${t('images.properties')}</legend><${Pairs} name="properties" pairs=${image.properties ?? {}} /></fieldset>
    <//>
  `;
}
