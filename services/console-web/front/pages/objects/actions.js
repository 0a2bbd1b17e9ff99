import { cloud, headerText, path, request, textOfHeader } from '../../lib/api.js';
import { when } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { confirm, Dialog, FormDialog, openDialog } from '../../ui/dialog.js';
import { Pairs } from '../../ui/pairs.js';
import { Copyable, Facts, Loaded, Problem, SelectField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';
import { objectPath, publicUrl } from './names.js';

/** What can be done with an object. */
export function objectMenu({ container, object, shared, base, done }) {
  const open = Form =>
    openDialog(
      close => html`<${Form} container=${container} object=${object} done=${done} onClose=${close} />`,
    );
  return [
    {
      text: t('action.download'),
      href: cloud.url('object-store', objectPath(container, object.name)),
      download: '',
    },
    { text: t('objects.metadata'), run: () => open(Metadata) },
    { text: t('objects.tempUrl'), run: () => open(TempUrl) },
    ...(shared
      ? [
          {
            text: t('objects.copyLink'),
            run: () =>
              openDialog(
                close => html`<${Link} url=${publicUrl(base, container, object.name)} onClose=${close} />`,
              ),
          },
        ]
      : []),
    { text: t('objects.copy'), run: () => open(Copy) },
    null,
    {
      text: t('action.delete'),
      danger: true,
      run: () =>
        confirm({
          title: t('instances.delete', { name: object.name }),
          text: t('objects.deleteText'),
          submit: t('action.delete'),
          run: async () => {
            await cloud.delete('object-store', objectPath(container, object.name));
            tell(t('told.deleted', { name: object.name }));
            await done();
          },
        }),
    },
  ];
}

const Link = ({ url, onClose }) => html`
  <${Dialog} title=${t('objects.copyLink')} onClose=${onClose}><div class="dialog-body"><${Copyable} text=${url} /></div><//>
`;

const META = /^x-object-meta-(.*)$/;

function Metadata({ container, object, done, onClose }) {
  const where = objectPath(container, object.name);
  const poll = usePoll(
    async options => (await cloud.full('HEAD', 'object-store', where, options)).headers,
    [where],
  );
  const send = async form => {
    const headers = { 'content-type': headerText(form.get('type')) };
    for (const [name, value] of Object.entries(JSON.parse(form.get('metadata'))))
      headers[`x-object-meta-${name.replace(/[^\w-]/g, '-')}`] = headerText(value);
    await cloud.post('object-store', where, undefined, { headers });
    tell(t('told.saved'));
    await done();
  };
  return html`
    <${FormDialog} title=${object.name} submit=${t('action.save')} onClose=${onClose} onSubmit=${send} disabled=${!poll.data}>
      <${Loaded} poll=${poll}>
        ${headers => html`
          <${Facts} rows=${[[t('column.updated'), when(object.last_modified)], ['MD5', html`<${Copyable} text=${object.hash} />`]]} />
          <${TextField} label=${t('objects.type')} name="type" required value=${object.content_type} />
          <fieldset>
            <legend>${t('objects.metadata')}</legend>
            <${Pairs} name="metadata" pairs=${Object.fromEntries([...headers].flatMap(([name, value]) => (META.test(name) ? [[META.exec(name)?.[1], textOfHeader(value)]] : [])))} />
          </fieldset>
        `}
      <//>
    <//>
  `;
}

function TempUrl({ container, object, onClose }) {
  const [made, setMade] = useState(/** @type {any} */ (null));
  const [error, setError] = useState(/** @type {any} */ (null));
  const send = async event => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setError(null);
    try {
      const { body } = await request('POST', '/api/temp-urls', {
        body: { container, object: object.name, method: form.get('method'), hours: form.get('hours') },
      });
      setMade(body);
    } catch (problem) {
      setError(problem);
    }
  };
  return html`
    <${Dialog} title=${t('objects.tempUrl')} onClose=${onClose}>
      <form class="dialog-body" onSubmit=${send}>
        <p class="hint">${t('objects.tempUrlHint')}</p>
        <div class="columns">
          <${TextField} label=${t('objects.hours')} name="hours" type="number" min="1" max="8784" value="24" required />
          <${SelectField} label=${t('objects.allows')} name="method" options=${[['GET', t('action.download')], ['PUT', t('action.upload')]]} />
        </div>
        <button type="submit" class="button primary">${t('objects.makeUrl')}</button>
        ${error && html`<${Problem} error=${error} />`}
        ${made && html`<div role="status"><${Copyable} text=${made.url} /><p class="hint">${t('objects.until', { time: when(made.expires * 1000) })}</p></div>`}
      </form>
    <//>
  `;
}

function Copy({ container, object, done, onClose }) {
  const send = async form => {
    const to = String(form.get('container'));
    const headers = {
      'x-copy-from': `/${path(container)}/${object.name.split('/').map(encodeURIComponent).join('/')}`,
      'content-type': object.content_type,
    };
    await cloud.put('object-store', objectPath(to, String(form.get('name'))), '', { headers });
    tell(t('told.created', { name: form.get('name') }));
    await done();
  };
  return html`
    <${FormDialog} title=${t('objects.copy')} submit=${t('objects.copy')} onClose=${onClose} onSubmit=${send}>
      <${TextField} label=${t('objects.container')} name="container" required value=${container} />
      <${TextField} label=${t('column.name')} name="name" required value=${object.name} />
    <//>
  `;
}
