import { cloud, path, session } from '../../lib/api.js';
import { ago, megabytes, when } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { go, place } from '../../lib/router.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html, useMemo } from '../../lib/view.js';
import { Menu } from '../../ui/menu.js';
import { Button, Card, Copyable, Empty, Facts, Loaded, PageHead, Problem } from '../../ui/parts.js';
import { Tabs } from '../../ui/table.js';
import { menuOf, nameOf } from './actions.js';
import { Attachments } from './attachments.js';
import { FloatingAddress } from './floating.js';
import { State } from './list.js';
import { ConsoleLog } from './log.js';
import { Screen } from './screen.js';
import { addressesOf, explain, isMoving } from './states.js';
import { TimeLine } from './time-line.js';

const MOVING_MS = 1_500;
const STILL_MS = 6_000;

/** Names hardly change: they are asked for once, the server again and again. */
function loader(id) {
  const names = new Map();
  const nameFor = async (kind, of, options) => {
    if (!of) return null;
    const key = `${kind} ${of}`;
    if (!names.has(key)) {
      const body = await cloud.get('compute', path(kind, of), options).catch(() => ({}));
      names.set(key, body.flavor ?? body.image ?? { name: of, id: of });
    }
    return names.get(key);
  };
  return async options => {
    const { server } = await cloud.get('compute', path('servers', id), options);
    const [flavor, image] = await Promise.all([
      nameFor('flavors', server.flavor?.id, options),
      nameFor('images', server.image?.id, options),
    ]);
    return { server, flavor, image };
  };
}

export default function Instance({ id }) {
  const user = useStore(session);
  const { query, path: here } = useStore(place);
  const poll = usePoll(
    useMemo(() => loader(id), [id]),
    [id],
    ({ server }) => (isMoving(server) ? MOVING_MS : STILL_MS),
  );
  const back = { href: '/instances', text: t('nav.instances') };
  if (poll.error?.status === 404) {
    return html`
      <${PageHead} title=${poll.data ? nameOf(poll.data.server) : t('instances.one')} back=${back} />
      <${Empty} icon="instances" title=${poll.data ? t('instances.gone') : t('instances.notFound')}><a href="/instances">${t('nav.instances')}</a><//>
    `;
  }
  if (!poll.data)
    return html`<${PageHead} title=${t('instances.one')} back=${back} /><${Loaded} poll=${poll} />`;
  const { server } = poll.data;
  const tabs = [
    {
      key: 'overview',
      title: t('nav.overview'),
      draw: () => html`<${Details} ...${poll.data} done=${poll.refresh} />`,
    },
    { key: 'log', title: t('instance.log'), draw: () => html`<${ConsoleLog} server=${server} />` },
    { key: 'screen', title: t('instance.screen'), draw: () => html`<${Screen} server=${server} />` },
    ...(user.services.includes('volume')
      ? [{ key: 'volumes', title: t('nav.volumes'), draw: () => html`<${Attachments} server=${server} />` }]
      : []),
    { key: 'time', title: t('instance.time'), draw: () => html`<${TimeLine} server=${server} />` },
  ];
  return html`
    <${PageHead} title=${nameOf(server)} back=${back} sub=${html`<${State} server=${{ ...server, fault: null }} />`}>
      ${quick(server).map(action => html`<${Button} key=${action.text} ...${action} />`)}
      <${Menu} label=${t('actions.of', { name: nameOf(server) })} icon="" text=${t('column.actions')} kind="" items=${menuOf(server, { admin: user.admin, done: poll.refresh })} />
    <//>
    ${server.status === 'ERROR' && html`<${Fault} fault=${server.fault} />`}
    ${poll.error && html`<${Problem} error=${poll.error} />`}
    <${Tabs} label=${nameOf(server)} tabs=${tabs} at=${query.get('tab') ?? 'overview'} onChange=${tab => go(`${here}?tab=${tab}`, { replace: true })} />
  `;
}

/** What is wanted most, beside the menu. */
const quick = server =>
  server.status === 'ACTIVE'
    ? [
        {
          icon: 'screen',
          children: t('instance.screen'),
          onClick: () => go(`/instances/${server.id}?tab=screen`, { replace: true }),
        },
      ]
    : [];

function Fault({ fault }) {
  const message = fault?.message ?? t('fault.unknown');
  const words = explain(message);
  return html`
    <div class="problem" role="alert">
      <div>
        ${words && html`<p><strong>${words}</strong></p>`}
        <p>${message}</p>
        ${fault?.details && html`<details><summary>${t('fault.details')}</summary><pre class="mono">${fault.details}</pre></details>`}
      </div>
      ${fault?.created && html`<span class="nowrap">${ago(fault.created)}</span>`}
    </div>
  `;
}

function Details({ server, flavor, image, done }) {
  const addresses = addressesOf(server);
  const groups = [...new Set((server.security_groups ?? []).map(group => group.name))];
  return html`
    <div class="grid">
      <${Card} title=${t('instance.facts')}>
        <${Facts}
          rows=${[
            [
              t('column.flavor'),
              flavor &&
                `${flavor.name} · ${flavor.vcpus ?? '?'} CPU · ${megabytes(flavor.ram ?? 0)} · ${flavor.disk ?? 0} GB`,
            ],
            [
              t('column.image'),
              image && html`<a href=${`/images/${image.id}`}>${image.name ?? image.id}</a>`,
            ],
            [t('column.key'), server.key_name ?? '–'],
            [t('nav.groups'), groups.join(', ')],
            [t('column.created'), when(server.created)],
            [t('column.updated'), when(server.updated)],
            [t('column.host'), server['OS-EXT-SRV-ATTR:host']],
            [t('column.hypervisorName'), server['OS-EXT-SRV-ATTR:instance_name']],
            [t('column.id'), html`<${Copyable} text=${server.id} />`],
          ]}
        />
      <//>
      <${Card} title=${t('column.addresses')}>
        <ul class="lines">
          ${addresses.map(
            ({ address, network, floating }) => html`
              <li key=${address}><${Copyable} text=${address} /><span class="muted">${floating ? t('address.floating') : network}</span></li>
            `,
          )}
          ${addresses.length === 0 && html`<li class="muted">${t('instance.noAddress')}</li>`}
        </ul>
        <${FloatingAddress} server=${server} addresses=${addresses} done=${done} />
        ${server.key_name && addresses.length > 0 && html`<p class="hint">${t('instance.sshHint')}</p><${Copyable} text=${`ssh -i ${server.key_name}.pem cirros@${(addresses.find(a => a.floating) ?? addresses[0]).address}`} />`}
      <//>
      <${Card} title=${t('instance.metadata')}>
        ${Object.keys(server.metadata ?? {}).length === 0 ? html`<p class="muted">${t('state.nothing')}</p>` : html`<${Facts} rows=${Object.entries(server.metadata)} />`}
      <//>
    </div>
  `;
}
