import { cloud, headerText, upload } from '../../lib/api.js';
import { bytes } from '../../lib/format.js';
import { t } from '../../lib/text.js';
import { html, useRef, useState } from '../../lib/view.js';
import { FormDialog } from '../../ui/dialog.js';
import { CheckField, Field, Progress, SelectField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';
import { containerOf, DISK_FORMATS, formatOf } from './states.js';

/** A new image: from a file, with progress, or from where an address says. @param {any} props */
export function UploadImage({ done, onClose }) {
  const [from, setFrom] = useState('file');
  const [format, setFormat] = useState('qcow2');
  const [name, setName] = useState('');
  const [sent, setSent] = useState(/** @type {{ part: number, sent: number, size: number } | null} */ (null));
  const stop = useRef(new AbortController());
  const choose = file => {
    if (!file) return;
    setFormat(formatOf(file.name));
    if (name === '') setName(file.name.replace(/\.[^.]+$/, ''));
  };
  const cancel = () => {
    stop.current.abort();
    onClose();
  };
  const send = async form => {
    const headers = {
      'x-image-meta-name': headerText(form.get('name')),
      'x-image-meta-disk_format': format,
      'x-image-meta-container_format': containerOf(format),
      'x-image-meta-is_public': form.get('public') ? 'True' : 'False',
      'x-image-meta-min_disk': String(Number(form.get('minDisk')) || 0),
      'x-image-meta-min_ram': String(Number(form.get('minRam')) || 0),
    };
    const url = cloud.url('image', 'v1/images');
    if (from === 'file') {
      const file = /** @type {File} */ (form.get('file'));
      if (!file || file.size === 0) throw new Error(t('images.noFile'));
      await upload('POST', url, file, {
        headers: {
          ...headers,
          'content-type': 'application/octet-stream',
          'x-image-meta-size': String(file.size),
        },
        signal: stop.current.signal,
        onProgress: (part, count) => setSent({ part, sent: count, size: file.size }),
      }).catch(error => {
        setSent(null);
        throw error;
      });
    } else {
      const source = from === 'copy' ? 'x-glance-api-copy-from' : 'x-image-meta-location';
      await upload('POST', url, null, { headers: { ...headers, [source]: headerText(form.get('url')) } });
    }
    tell(t('told.created', { name: form.get('name') }));
    await done();
  };
  return html`
    <${FormDialog} title=${t('images.add')} submit=${t('action.upload')} onClose=${cancel} onSubmit=${send}>
      <${SelectField} label=${t('images.from')} value=${from} onChange=${event => setFrom(event.currentTarget.value)} options=${['file', 'copy', 'location'].map(key => [key, t(`images.from.${key}`)])} />
      ${
        from === 'file'
          ? html`<${Field} label=${t('images.file')}>${given => html`<input type="file" name="file" required ...${given} onChange=${event => choose(event.currentTarget.files[0])} />`}<//>`
          : html`<${TextField} label=${t('images.url')} name="url" type="url" required placeholder="http://…" hint=${t('images.urlHint')} />`
      }
      <${TextField} label=${t('column.name')} name="name" required maxlength="255" value=${name} onInput=${event => setName(event.currentTarget.value)} />
      <${SelectField} label=${t('images.format')} value=${format} hint=${t('images.formatHint')} onChange=${event => setFormat(event.currentTarget.value)} options=${DISK_FORMATS.map(key => [key, key])} />
      <div class="columns">
        <${TextField} label=${t('images.minDisk')} name="minDisk" type="number" min="0" value="0" />
        <${TextField} label=${t('images.minRam')} name="minRam" type="number" min="0" value="0" />
      </div>
      <${CheckField} label=${t('images.makePublic')} name="public" />
      ${
        sent &&
        html`<div>
          <${Progress} part=${sent.part} label=${t('action.upload')} />
          <p class="hint" role="status">${sent.part < 1 ? t('upload.sent', { sent: bytes(sent.sent), size: bytes(sent.size) }) : t('upload.storing')}</p>
        </div>`
      }
    <//>
  `;
}
