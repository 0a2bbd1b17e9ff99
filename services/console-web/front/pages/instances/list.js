import { cloud, session } from '../../lib/api.js';
import { ago } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { confirm } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, CheckField, Empty, Loaded, PageHead, Progress } from '../../ui/parts.js';
import { holds, Search, Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { menuOf, nameOf } from './actions.js';
import { openLaunch } from './open-launch.js';
import { addressesOf, isMoving, stateOf } from './states.js';

const STEP = 100;
const MOVING_MS = 2_000;
const STILL_MS = 8_000;

/** Lists what is shown and no more. */
async function load(count, all, options) {
  const query = new URLSearchParams({ limit: String(count + 1), ...(all ? { all_tenants: '1' } : {}) });
  const [{ servers }, { flavors }] = await Promise.all([
    cloud.get('compute', `servers/detail?${query}`, options),
    cloud.get('compute', 'flavors/detail', options),
  ]);
  return {
    servers: servers.slice(0, count),
    more: servers.length > count,
    flavors: new Map(flavors.map(f => [f.id, f.name])),
  };
}

export default function Instances() {
  const user = useStore(session);
  const [count, setCount] = useState(STEP);
  const [all, setAll] = useState(false);
  const [wanted, setWanted] = useState('');
  const [chosen, setChosen] = useState(/** @type {ReadonlySet<string>} */ (new Set()));
  const poll = usePoll(
    options => load(count, all, options),
    [user.project.id, count, all],
    data => (data.servers.some(isMoving) ? MOVING_MS : STILL_MS),
  );
  const removeChosen = () =>
    confirm({
      title: t('instances.deleteMany', { count: chosen.size }),
      text: t('instances.deleteText'),
      submit: t('action.delete'),
      run: async () => {
        const results = await Promise.allSettled(
          [...chosen].map(id => cloud.delete('compute', `servers/${id}`)),
        );
        for (const result of results) if (result.status === 'rejected') tellError(result.reason);
        setChosen(new Set());
        tell(t('told.deleting'));
        await poll.refresh();
      },
    });
  const choose = (id, yes) => {
    const next = new Set(chosen);
    if (yes) next.add(id);
    else next.delete(id);
    setChosen(next);
  };
  return html`
    <${PageHead} title=${t('nav.instances')}>
      <${Button} kind="primary" icon="plus" onClick=${() => openLaunch({ done: poll.refresh })}>${t('launch.open')}<//>
    <//>
    <div class="toolbar">
      <${Search} value=${wanted} onInput=${setWanted} />
      ${user.admin && html`<${CheckField} label=${t('instances.allProjects')} checked=${all} onChange=${event => setAll(event.currentTarget.checked)} />`}
      ${chosen.size > 0 && html`<${Button} kind="danger" icon="trash" onClick=${removeChosen}>${t('instances.deleteMany', { count: chosen.size })}<//>`}
    </div>
    <${Loaded} poll=${poll}>
      ${({ servers, more, flavors }) => html`
        <${Table}
          label=${t('nav.instances')}
          rows=${servers.filter(s => holds(wanted, s.name, s.id, s.status, ...addressesOf(s).map(a => a.address)))}
          columns=${columns(flavors, chosen, choose)}
          actions=${server => html`<${Menu} label=${t('actions.of', { name: server.name })} items=${menuOf(server, { admin: user.admin, done: poll.refresh })} />`}
          more=${more ? () => setCount(count + STEP) : undefined}
          empty=${
            servers.length === 0
              ? html`<${Empty} icon="instances" title=${t('instances.none')}>
                  <${Button} kind="primary" icon="plus" onClick=${() => openLaunch({ done: poll.refresh })}>${t('launch.open')}<//>
                <//>`
              : undefined
          }
        />
      `}
    <//>
  `;
}

const columns = (flavors, chosen, choose) => [
  {
    key: 'name',
    title: t('column.name'),
    cell: server => html`
      <span class="name-cell">
        <input type="checkbox" aria-label=${t('action.choose', { name: server.name })} checked=${chosen.has(server.id)} onChange=${event => choose(server.id, event.currentTarget.checked)} />
        <a href=${`/instances/${server.id}`}>${nameOf(server)}</a>
      </span>
    `,
  },
  { key: 'state', title: t('column.state'), cell: server => html`<${State} server=${server} />` },
  {
    key: 'addresses',
    title: t('column.addresses'),
    cell: server =>
      addressesOf(server).map(
        ({ address, floating }) =>
          html`<div class="mono" key=${address}>${address}${floating && html` <span class="muted">${t('address.floating')}</span>`}</div>`,
      ),
  },
  {
    key: 'flavor',
    title: t('column.flavor'),
    cell: server => flavors.get(server.flavor?.id) ?? server.flavor?.id,
  },
  { key: 'key', title: t('column.key'), cell: server => server.key_name ?? '–' },
  {
    key: 'age',
    title: t('column.created'),
    cell: server => html`<span class="nowrap">${ago(server.created)}</span>`,
  },
];

/** A state, how far it has come, and why it failed. @param {any} props */
export function State({ server }) {
  const { tone, text } = stateOf(server);
  const going = server.status === 'BUILD' && server.progress > 0 && server.progress < 100;
  return html`
    <${Badge} tone=${tone}>${text}<//>
    ${going && html`<${Progress} part=${server.progress / 100} label=${text} />`}
    ${server.status === 'ERROR' && server.fault && html`<div class="bad-text small-text">${server.fault.message}</div>`}
  `;
}
