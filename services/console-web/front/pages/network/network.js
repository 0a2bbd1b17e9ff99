import { session } from '../../lib/api.js';
import { go, place } from '../../lib/router.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { PageHead } from '../../ui/parts.js';
import { Tabs } from '../../ui/table.js';
import { Addresses } from './addresses.js';
import { Groups } from './groups.js';
import { Networks } from './networks.js';

export default function Network() {
  const user = useStore(session);
  const { query } = useStore(place);
  const tabs = [
    { key: 'addresses', title: t('network.addresses'), draw: () => html`<${Addresses} />` },
    { key: 'groups', title: t('nav.groups'), draw: () => html`<${Groups} />` },
    ...(user.admin
      ? [{ key: 'networks', title: t('network.networks'), draw: () => html`<${Networks} />` }]
      : []),
  ];
  return html`
    <${PageHead} title=${t('nav.network')} />
    <${Tabs} label=${t('nav.network')} tabs=${tabs} at=${query.get('tab') ?? 'addresses'} onChange=${tab => go(`/network?tab=${tab}`, { replace: true })} />
  `;
}
