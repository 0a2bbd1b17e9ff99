import { cloud } from '../../lib/api.js';
import { gigabytes, megabytes, number } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Card, Facts, Loaded, Meter } from '../../ui/parts.js';
import { Table } from '../../ui/table.js';

const EVERY_MS = 10_000;

async function load(options) {
  const [{ hypervisors }, { hypervisor_statistics: total }, { hosts }] = await Promise.all([
    cloud.get('compute', 'os-hypervisors/detail', options),
    cloud.get('compute', 'os-hypervisors/statistics', options),
    cloud.get('compute', 'os-hosts', options),
  ]);
  return { hypervisors, total, hosts };
}

/** Services by host, and what each hypervisor has left. */
export function Hosts() {
  const poll = usePoll(load, [], EVERY_MS);
  return html`
    <${Loaded} poll=${poll}>
      ${({ hypervisors, total, hosts }) => html`
        <${Card} title=${t('system.capacity')}>
          <div class="meters three">
            <${Meter} label=${t('quota.cores')} used=${total.vcpus_used} limit=${total.vcpus} format=${number} />
            <${Meter} label=${t('quota.ram')} used=${total.memory_mb_used} limit=${total.memory_mb} format=${megabytes} />
            <${Meter} label=${t('quota.disk')} used=${total.local_gb_used} limit=${total.local_gb} format=${gigabytes} />
          </div>
          <p class="muted">${t('overview.running', { count: number(total.running_vms) })}</p>
        <//>
        <${Card} title=${t('system.hypervisors')}>
          ${hypervisors.map(
            host => html`
              <div class="host" key=${host.id}>
                <h3>${host.hypervisor_hostname}</h3>
                <div class="meters three">
                  <${Meter} label=${t('quota.cores')} used=${host.vcpus_used} limit=${host.vcpus} format=${number} />
                  <${Meter} label=${t('quota.ram')} used=${host.memory_mb_used} limit=${host.memory_mb} format=${megabytes} />
                  <${Meter} label=${t('quota.disk')} used=${host.local_gb_used} limit=${host.local_gb} format=${gigabytes} />
                </div>
                <div class="top-gap">
                  <${Facts}
                    rows=${[
                      [t('system.type'), `${host.hypervisor_type} ${host.hypervisor_version}`],
                      [t('system.guests'), number(host.running_vms)],
                      [t('system.workload'), number(host.current_workload)],
                      [t('system.freeDisk'), gigabytes(host.disk_available_least ?? host.free_disk_gb)],
                    ]}
                  />
                </div>
              </div>
            `,
          )}
        <//>
        <${Card} title=${t('system.services')}>
          <${Table}
            label=${t('system.services')}
            rows=${hosts}
            keyOf=${row => `${row.host_name} ${row.service}`}
            columns=${[
              { key: 'service', title: t('system.service'), cell: row => `nova-${row.service}` },
              { key: 'host', title: t('column.host'), cell: row => row.host_name },
              { key: 'zone', title: t('system.zone'), cell: row => row.zone ?? '–' },
            ]}
          />
        <//>
      `}
    <//>
  `;
}
