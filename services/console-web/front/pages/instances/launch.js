import { cloud, saveText, session } from '../../lib/api.js';
import { megabytes, number } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { go } from '../../lib/router.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { FormDialog } from '../../ui/dialog.js';
import { CheckField, Field, Loaded, Meter, SelectField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';
import { noteRequest } from './requests.js';

const NEW_KEY = '\u0000new';
const MANY_MAX = 50;
/** Kernels and ramdisks start nothing by themselves. */
const bootable = image => image.status === 'active' && !['ari', 'aki'].includes(image.container_format);

async function load(options) {
  const volumes = session.get().services.includes('volume');
  const [images, flavors, keys, groups, limits, disks] = await Promise.all([
    cloud.get('image', 'v1/images/detail?limit=500&status=active', options),
    cloud.get('compute', 'flavors/detail', options),
    cloud.get('compute', 'os-keypairs', options),
    cloud.get('compute', 'os-security-groups', options),
    cloud.get('compute', 'limits', options),
    volumes ? cloud.get('volume', 'volumes/detail', options).catch(() => ({ volumes: [] })) : { volumes: [] },
  ]);
  return {
    images: images.images.filter(bootable),
    flavors: flavors.flavors.sort((a, b) => a.ram - b.ram || a.vcpus - b.vcpus),
    keys: keys.keypairs.map(({ keypair }) => keypair.name),
    groups: groups.security_groups,
    limits: limits.limits.absolute,
    volumes: disks.volumes.filter(volume => volume.status === 'available'),
  };
}

/** Everything for a new instance in one dialog. @param {any} props */
export function Launch({ image, volume, start, done, onClose }) {
  const poll = usePoll(load, []);
  const [size, setSize] = useState({ flavor: '', count: 1 });
  const send = async form => {
    const { server, headers } = await create(form, poll.data);
    noteRequest(server.id, 'create', headers.get('x-compute-request-id'));
    tell(t('told.launched', { name: form.get('name') }));
    if (done && location.pathname !== `/instances/${server.id}`) await done();
    if (Number(form.get('count')) === 1) go(`/instances/${server.id}`);
    else go('/instances');
  };
  return html`
    <${FormDialog} title=${t('launch.title')} submit=${t('launch.submit')} wide onClose=${onClose} onSubmit=${send} disabled=${!poll.data}>
      <${Loaded} poll=${poll}>${data => html`<${Fields} data=${data} image=${image} volume=${volume} start=${start} size=${size} setSize=${setSize} />`}<//>
    <//>
  `;
}

function Fields({ data, image, volume, start, size, setSize }) {
  const [key, setKey] = useState(data.keys[0] ?? NEW_KEY);
  const flavor = data.flavors.find(f => f.id === size.flavor) ?? data.flavors[0];
  return html`
    <div class="columns">
      <div>
        <${TextField} label=${t('column.name')} name="name" required maxlength="255" data-first />
        <${SelectField} label=${t('column.image')} name="image" required value=${image} options=${data.images.map(i => [i.id, i.name ?? i.id])} />
        ${
          data.volumes.length > 0 &&
          html`<${SelectField} label=${t('launch.start')} name="start" value=${start ?? ''} hint=${t('launch.startHint')} options=${[['', t('launch.startImage')], ...data.volumes.map(sized)]} />`
        }
        <${SelectField}
          label=${t('column.flavor')}
          name="flavor"
          value=${flavor?.id}
          options=${data.flavors.map(f => [f.id, `${f.name} · ${f.vcpus} CPU · ${megabytes(f.ram)} · ${f.disk} GB`])}
          onChange=${event => setSize({ ...size, flavor: event.currentTarget.value })}
        />
        <${Field} label=${t('launch.count')}>
          ${given => html`<input type="number" name="count" min="1" max=${MANY_MAX} value=${size.count} ...${given} onInput=${event => setSize({ ...size, count: Math.max(1, Number(event.currentTarget.value) || 1) })} />`}
        <//>
        ${flavor && html`<${Takes} flavor=${flavor} count=${size.count} limits=${data.limits} />`}
      </div>
      <div>
        <${SelectField}
          label=${t('column.key')}
          name="key"
          value=${key}
          hint=${key === '' ? t('launch.noKeyHint') : undefined}
          options=${[...data.keys.map(name => [name, name]), [NEW_KEY, t('launch.newKey')], ['', t('launch.noKey')]]}
          onChange=${event => setKey(event.currentTarget.value)}
        />
        ${key === NEW_KEY && html`<${TextField} label=${t('keys.name')} name="newKey" required maxlength="255" hint=${t('launch.newKeyHint')} />`}
        <fieldset>
          <legend>${t('nav.groups')}</legend>
          <div class="choices">
            ${data.groups.map(({ name, description }) => html`<${CheckField} key=${name} name="group" value=${name} label=${name} hint=${description === name ? '' : description} defaultChecked=${name === 'default'} />`)}
          </div>
        </fieldset>
        ${
          data.volumes.length > 0 &&
          html`<${SelectField} label=${t('launch.volume')} name="volume" value=${volume ?? ''} hint=${t('launch.volumeHint')} options=${[['', '–'], ...data.volumes.map(sized)]} />`
        }
        <${TextField} label=${t('launch.userData')} name="userData" multiline optional hint=${t('launch.userDataHint')} spellcheck=${false} />
        <${CheckField} label=${t('launch.configDrive')} name="configDrive" />
      </div>
    </div>
  `;
}

const sized = volume => [volume.id, `${volume.display_name || volume.id} · ${volume.size} GB`];

/** What the quota will look like afterwards. */
function Takes({ flavor, count, limits }) {
  return html`
    <div class="meters">
      <${Meter} label=${t('quota.instances')} used=${limits.totalInstancesUsed ?? 0} limit=${limits.maxTotalInstances} add=${count} format=${number} />
      <${Meter} label=${t('quota.cores')} used=${limits.totalCoresUsed ?? 0} limit=${limits.maxTotalCores} add=${count * flavor.vcpus} format=${number} />
      <${Meter} label=${t('quota.ram')} used=${limits.totalRAMUsed ?? 0} limit=${limits.maxTotalRAMSize} add=${count * flavor.ram} format=${megabytes} />
    </div>
  `;
}

/** Makes the key where one is wanted, then the instance. */
async function create(form, data) {
  const text = name => String(form.get(name) ?? '').trim();
  const count = Number(text('count')) || 1;
  let key = String(form.get('key'));
  if (key === NEW_KEY) {
    const made = await cloud.post('compute', 'os-keypairs', { keypair: { name: text('newKey') } });
    key = made.keypair.name;
    // The only time that anybody sees it.
    saveText(`${key}.pem`, made.keypair.private_key, 'application/x-pem-file');
    data.keys.push(key);
  }
  const disks = [
    ['vda', text('start')],
    ['vdb', text('volume')],
  ]
    .filter(([, volume]) => volume !== '')
    .map(([device, volume]) => ({ device_name: device, volume_id: volume, delete_on_termination: '0' }));
  const server = {
    name: text('name'),
    imageRef: text('image'),
    flavorRef: text('flavor'),
    min_count: count,
    max_count: count,
    security_groups: form.getAll('group').map(name => ({ name })),
    ...(key === '' ? {} : { key_name: key }),
    ...(text('userData') === '' ? {} : { user_data: base64(String(form.get('userData'))) }),
    ...(form.get('configDrive') ? { config_drive: true } : {}),
    ...(disks.length === 0 ? {} : { block_device_mapping: disks }),
  };
  const { body, headers } = await cloud.full('POST', 'compute', 'servers', { body: { server } });
  return { server: body.server, headers };
}

/** Line ends as a shell wants them. */
function base64(text) {
  let bytes = '';
  for (const byte of new TextEncoder().encode(text.replace(/\r\n/g, '\n')))
    bytes += String.fromCharCode(byte);
  return btoa(bytes);
}
