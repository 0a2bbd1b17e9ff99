import { cloud, session } from '../../lib/api.js';
import { number } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html, useState } from '../../lib/view.js';
import { Empty, Loaded, SelectField } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';

const DAYS = [1, 7, 30, 90];
const DAY_MS = 86_400_000;
const iso = at => new Date(at).toISOString().slice(0, 19);

/** How much each project has used. */
export function Usage() {
  const [days, setDays] = useState('30');
  const poll = usePoll(
    async options => {
      const query = new URLSearchParams({
        detailed: '0',
        start: iso(Date.now() - Number(days) * DAY_MS),
        end: iso(Date.now()),
      });
      return (await cloud.get('compute', `os-simple-tenant-usage?${query}`, options)).tenant_usages;
    },
    [days],
  );
  const names = new Map(session.get().projects.map(({ id, name }) => [id, name]));
  const hours = value => number(Math.round(value * 10) / 10);
  return html`
    <div class="toolbar"><${SelectField} label=${t('system.since')} value=${days} onChange=${event => setDays(event.currentTarget.value)} options=${DAYS.map(count => [String(count), t('system.days', { count })])} /></div>
    <${Loaded} poll=${poll}>
      ${rows => html`
        <${Table}
          label=${t('system.usage')}
          rows=${rows}
          keyOf=${row => row.tenant_id}
          empty=${html`<${Empty} icon="system" title=${t('system.noUsage')} />`}
          columns=${[
            {
              key: 'project',
              title: t('column.project'),
              cell: row => names.get(row.tenant_id) ?? html`<code>${row.tenant_id}</code>`,
            },
            {
              key: 'hours',
              title: t('system.instanceHours'),
              end: true,
              cell: row => hours(row.total_hours ?? 0),
            },
            {
              key: 'cpu',
              title: t('system.cpuHours'),
              end: true,
              cell: row => hours(row.total_vcpus_usage ?? 0),
            },
            {
              key: 'ram',
              title: t('system.ramHours'),
              end: true,
              cell: row => hours((row.total_memory_mb_usage ?? 0) / 1024),
            },
            {
              key: 'disk',
              title: t('system.diskHours'),
              end: true,
              cell: row => hours(row.total_local_gb_usage ?? 0),
            },
          ]}
        />
      `}
    <//>
  `;
}
