import { session } from '../../lib/api.js';
import { go, place } from '../../lib/router.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Card, PageHead } from '../../ui/parts.js';
import { Tabs } from '../../ui/table.js';
import { Flavors } from './flavors.js';
import { Hosts } from './hosts.js';
import { Logs } from './logs.js';
import { Metrics } from './metrics.js';
import { TraceSearch } from './trace-search.js';
import { Usage } from './usage.js';

/** What administrators look at: hosts and their services, capacity, flavors, use by project, requests, the log, metrics. */
export default function System() {
  const { query } = useStore(place);
  const { features } = useStore(session);
  const tabs = [
    { key: 'hosts', title: t('system.hosts'), draw: () => html`<${Hosts} />` },
    { key: 'flavors', title: t('system.flavors'), draw: () => html`<${Flavors} />` },
    { key: 'usage', title: t('system.usage'), draw: () => html`<${Usage} />` },
    ...(features.trace
      ? [{ key: 'requests', title: t('system.requests'), draw: () => html`<${Card}><${TraceSearch} /><//>` }]
      : []),
    ...(features.logs
      ? [{ key: 'logs', title: t('system.logs'), draw: () => html`<${Card}><${Logs} /><//>` }]
      : []),
    ...(features.metrics
      ? [{ key: 'metrics', title: t('system.metrics'), draw: () => html`<${Metrics} />` }]
      : []),
  ];
  return html`
    <${PageHead} title=${t('nav.system')} />
    <${Tabs} label=${t('nav.system')} tabs=${tabs} at=${query.get('tab') ?? 'hosts'} onChange=${tab => go(`/system?tab=${tab}`, { replace: true })} />
  `;
}
