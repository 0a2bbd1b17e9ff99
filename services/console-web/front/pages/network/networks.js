import { cloud } from '../../lib/api.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Loaded } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';

/** The networks of the guests, for administrators. */
export function Networks() {
  const poll = usePoll(async options => (await cloud.get('compute', 'os-networks', options)).networks, []);
  const code = name => row => html`<code>${row[name] ?? '–'}</code>`;
  return html`
    <${Loaded} poll=${poll}>
      ${rows => html`
        <${Table}
          label=${t('network.networks')}
          rows=${rows}
          columns=${[
            { key: 'label', title: t('column.name'), cell: row => row.label },
            { key: 'cidr', title: t('network.range'), cell: code('cidr') },
            { key: 'gateway', title: t('network.gateway'), cell: code('gateway') },
            { key: 'bridge', title: t('network.bridge'), cell: code('bridge') },
            { key: 'vlan', title: 'VLAN', cell: code('vlan') },
            { key: 'dns', title: 'DNS', cell: code('dns1') },
          ]}
        />
      `}
    <//>
  `;
}
