import { cloud, path } from '../../lib/api.js';
import { megabytes } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { FormDialog, openDialog } from '../../ui/dialog.js';
import { Pairs } from '../../ui/pairs.js';
import { CheckField, Loaded, SelectField, TextField } from '../../ui/parts.js';
import { tell } from '../../ui/toasts.js';
import { act, nameOf } from './actions.js';

const told = (key, server) => tell(t('told.action', { action: t(`do.${key}`), name: nameOf(server) }));
const flavorText = f => `${f.name} · ${f.vcpus} CPU · ${megabytes(f.ram)} · ${f.disk} GB`;

/** Each form: its fields, and what its values do. */
const FORMS = {
  snapshot: {
    fields: ({ server }) =>
      html`<${TextField} label=${t('snapshot.name')} name="name" required value=${`${nameOf(server)}-snapshot`} />`,
    send: (server, form) =>
      act(server, { createImage: { name: form.get('name'), metadata: {} } }, 'snapshot'),
  },
  rename: {
    fields: ({ server }) =>
      html`<${TextField} label=${t('column.name')} name="name" required maxlength="255" value=${server.name} />`,
    send: (server, form) =>
      cloud.put('compute', path('servers', server.id), { server: { name: form.get('name') } }),
  },
  resize: {
    fields: ({ server }) => html`
      <${Choice} load=${async options => (await cloud.get('compute', 'flavors/detail', options)).flavors.filter(f => f.id !== server.flavor.id)} label=${t('column.flavor')} text=${flavorText} />
      <p class="hint">${t('resize.hint')}</p>
    `,
    send: (server, form) => act(server, { resize: { flavorRef: form.get('choice') } }, 'resize'),
  },
  rebuild: {
    fields: ({ server }) => html`
      <${Choice}
        load=${async options => (await cloud.get('compute', 'images/detail?status=ACTIVE', options)).images.filter(image => !['ari', 'aki'].includes(image.container_format))}
        label=${t('column.image')}
        text=${image => image.name ?? image.id}
        value=${server.image?.id}
      />
      <p class="hint">${t('rebuild.hint')}</p>
    `,
    send: (server, form) =>
      act(server, { rebuild: { imageRef: form.get('choice'), name: server.name } }, 'rebuild'),
  },
  groups: {
    fields: ({ server }) => html`<${Groups} server=${server} />`,
    send: async (server, form) => {
      const had = new Set(JSON.parse(form.get('had')));
      const chosen = new Set(form.getAll('group'));
      for (const name of chosen)
        if (!had.has(name)) await act(server, { addSecurityGroup: { name } }, 'groups');
      for (const name of had)
        if (!chosen.has(name)) await act(server, { removeSecurityGroup: { name } }, 'groups');
    },
  },
  metadata: {
    fields: ({ server }) => html`<${Pairs} name="metadata" pairs=${server.metadata ?? {}} />`,
    send: (server, form) =>
      cloud.put('compute', `${path('servers', server.id)}/metadata`, {
        metadata: JSON.parse(form.get('metadata')),
      }),
  },
};

export function open(key, server, done) {
  const { fields: Fields, send } = FORMS[key];
  openDialog(
    close => html`
      <${FormDialog}
        title=${t('actions.title', { action: t(`do.${key}`), name: nameOf(server) })}
        submit=${t(`do.${key}`)}
        onClose=${close}
        onSubmit=${async form => {
          await send(server, form);
          told(key, server);
          await done();
        }}
      >
        <${Fields} server=${server} />
      <//>
    `,
  );
}

/** A list that has to be asked for. @param {any} props */
function Choice({ load, label, text, value }) {
  const poll = usePoll(load, []);
  return html`<${Loaded} poll=${poll}>${rows => html`<${SelectField} label=${label} name="choice" required value=${value} options=${rows.map(row => [row.id, text(row)])} />`}<//>`;
}

function Groups({ server }) {
  const poll = usePoll(
    async options => {
      const [all, mine] = await Promise.all([
        cloud.get('compute', 'os-security-groups', options),
        cloud.get('compute', `${path('servers', server.id)}/os-security-groups`, options),
      ]);
      return { all: all.security_groups, mine: mine.security_groups.map(group => group.name) };
    },
    [server.id],
  );
  const [chosen, setChosen] = useState(/** @type {string[] | null} */ (null));
  return html`
    <${Loaded} poll=${poll}>
      ${({ all, mine }) => html`
        <fieldset>
          <legend>${t('nav.groups')}</legend>
          <input type="hidden" name="had" value=${JSON.stringify(mine)} />
          ${all.map(
            ({ name, description }) => html`
              <${CheckField}
                key=${name}
                name="group"
                value=${name}
                label=${name}
                hint=${description}
                checked=${(chosen ?? mine).includes(name)}
                onChange=${event => setChosen(event.currentTarget.checked ? [...(chosen ?? mine), name] : (chosen ?? mine).filter(other => other !== name))}
              />
            `,
          )}
        </fieldset>
      `}
    <//>
  `;
}
