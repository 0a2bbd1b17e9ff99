import { cloud, path, session } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { confirm, FormDialog, openDialog } from '../../ui/dialog.js';
import { Menu } from '../../ui/menu.js';
import { Badge, Button, Copyable, Empty, Loaded, SelectField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';
import { tell, tellError } from '../../ui/toasts.js';
import { draggable, Targets } from './drag.js';

const EVERY_MS = 8_000;

const takes = server => server.status !== 'ERROR';

async function load(options) {
  const [{ floating_ips: addresses }, { floating_ip_pools: pools }, { servers }] = await Promise.all([
    cloud.get('compute', 'os-floating-ips', options),
    cloud.get('compute', 'os-floating-ip-pools', options).catch(() => ({ floating_ip_pools: [] })),
    cloud.get('compute', 'servers/detail?limit=1000', options),
  ]);
  return { addresses, pools, servers, names: new Map(servers.map(server => [server.id, server.name])) };
}

const free = address =>
  cloud.post('compute', `${path('servers', address.instance_id)}/action`, {
    removeFloatingIp: { address: address.ip },
  });

async function lead(address, server) {
  await cloud.post('compute', `${path('servers', server)}/action`, {
    addFloatingIp: { address: address.ip },
  });
  tell(t('told.addressGiven', { address: address.ip }));
}

/** Addresses that others reach: taken from a pool, given to instances. */
export function Addresses() {
  const user = useStore(session);
  const poll = usePoll(load, [user.project.id], EVERY_MS);
  const allocate = pools => close =>
    html`
    <${FormDialog}
      title=${t('floating.allocate')}
      submit=${t('floating.allocate')}
      onClose=${close}
      onSubmit=${async form => {
        const { floating_ip: made } = await cloud.post('compute', 'os-floating-ips', {
          pool: form.get('pool'),
        });
        tell(t('told.created', { name: made.ip }));
        await poll.refresh();
      }}
    >
      <${SelectField} label=${t('floating.pool')} name="pool" options=${pools.map(({ name }) => [name, name])} />
    <//>
  `;
  const give = (address, servers) => close =>
    html`
    <${FormDialog}
      title=${t('floating.giveTo', { address: address.ip })}
      submit=${t('action.associate')}
      onClose=${close}
      onSubmit=${async form => {
        await lead(address, String(form.get('server')));
        await poll.refresh();
      }}
    >
      <${SelectField} label=${t('column.instance')} name="server" required options=${servers.filter(takes).map(s => [s.id, s.name])} />
    <//>
  `;
  const take = async address => {
    try {
      await free(address);
      tell(t('told.addressTaken', { address: address.ip }));
    } catch (error) {
      tellError(error);
    }
    await poll.refresh();
  };
  const move = async (address, server) => {
    try {
      if (address.instance_id) await free(address);
      await lead(address, server);
    } catch (error) {
      tellError(error);
    }
    await poll.refresh();
  };
  const release = address =>
    confirm({
      title: t('floating.release', { address: address.ip }),
      text: t('floating.releaseText'),
      submit: t('floating.releaseDo'),
      run: async () => {
        await cloud.delete('compute', path('os-floating-ips', address.id));
        await poll.refresh();
      },
    });
  return html`
    <${Loaded} poll=${poll}>
      ${({ addresses, pools, servers, names }) => html`
        <div class="toolbar">
          <${Button} kind="primary" icon="plus" disabled=${pools.length === 0} onClick=${() => openDialog(allocate(pools))}>${t('floating.allocate')}<//>
          ${pools.length === 0 && html`<span class="muted">${t('floating.noPool')}</span>`}
        </div>
        <${Table}
          label=${t('network.addresses')}
          rows=${addresses}
          rowProps=${draggable}
          empty=${html`<${Empty} icon="network" title=${t('floating.none')} />`}
          columns=${[
            { key: 'ip', title: t('floating.one'), cell: row => html`<${Copyable} text=${row.ip} />` },
            { key: 'pool', title: t('floating.pool'), cell: row => row.pool },
            {
              key: 'to',
              title: t('column.instance'),
              cell: row =>
                row.instance_id
                  ? html`<a href=${`/instances/${row.instance_id}`}>${names.get(row.instance_id) ?? row.instance_id}</a>`
                  : html`<${Badge}>${t('floating.free')}<//>`,
            },
            {
              key: 'fixed',
              title: t('floating.fixed'),
              cell: row => html`<code>${row.fixed_ip ?? '–'}</code>`,
            },
          ]}
          actions=${row => html`
            <${Menu}
              label=${t('actions.of', { name: row.ip })}
              items=${[
                row.instance_id
                  ? { text: t('floating.take', { address: row.ip }), run: () => take(row) }
                  : { text: t('floating.giveMenu'), run: () => openDialog(give(row, servers)) },
                null,
                { text: t('floating.releaseDo'), danger: true, run: () => release(row) },
              ]}
            />
          `}
        />
        ${
          addresses.length > 0 &&
          html`<${Targets} servers=${servers.filter(takes)} addresses=${addresses} move=${move} take=${take} />`
        }
      `}
    <//>
  `;
}
