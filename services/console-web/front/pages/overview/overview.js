import { cloud, session } from '../../lib/api.js';
import { ago, bytes, gigabytes, megabytes, number, parseTime } from '../../lib/format.js';
import { usePoll } from '../../lib/poll.js';
import { useStore } from '../../lib/store.js';
import { t } from '../../lib/text.js';
import { html } from '../../lib/view.js';
import { Badge, Button, Card, Empty, Loaded, Meter, PageHead } from '../../ui/parts.js';
import { openLaunch } from '../instances/open-launch.js';
import { explain, isMoving, stateOf } from '../instances/states.js';

const SHOWN = 200;
const EVENTS = 8;
const MOVING_MS = 2_000;
const STILL_MS = 10_000;

async function load(options) {
  const user = session.get();
  const has = service => user.services.includes(service);
  const optional = (needed, work) => (needed ? work().catch(() => null) : null);
  const [servers, limits, hypervisors, hosts, objects] = await Promise.all([
    has('compute')
      ? cloud.get('compute', `servers/detail?limit=${SHOWN}`, options).then(body => body.servers)
      : [],
    has('compute') ? cloud.get('compute', 'limits', options).then(body => body.limits.absolute) : null,
    optional(
      user.admin && has('compute'),
      async () => (await cloud.get('compute', 'os-hypervisors/statistics', options)).hypervisor_statistics,
    ),
    optional(
      user.admin && has('compute'),
      async () => (await cloud.get('compute', 'os-hypervisors/detail', options)).hypervisors,
    ),
    optional(
      has('object-store'),
      async () => (await cloud.full('HEAD', 'object-store', '', options)).headers,
    ),
  ]);
  return { servers, limits, hypervisors, hosts, objects };
}

export default function Overview() {
  const user = useStore(session);
  const poll = usePoll(load, [user.project.id], data => (data.servers.some(isMoving) ? MOVING_MS : STILL_MS));
  const compute = user.services.includes('compute');
  return html`
    <${PageHead} title=${t('nav.overview')} sub=${t('overview.sub', { project: user.project.name })}>
      ${compute && html`<${Button} kind="primary" icon="plus" onClick=${() => openLaunch({ done: poll.refresh })}>${t('launch.open')}<//>`}
    <//>
    <${Loaded} poll=${poll}>
      ${data => html`
        <div class="grid">
          ${compute && html`<div><${Numbers} servers=${data.servers} /><${Failed} servers=${data.servers} /><${Events} servers=${data.servers} /></div>`}
          <div>
            ${data.limits && html`<${Quota} limits=${data.limits} objects=${data.objects} />`}
            ${data.hosts && html`<${Hosts} hosts=${data.hosts} total=${data.hypervisors} />`}
          </div>
        </div>
      `}
    <//>
  `;
}

function Numbers({ servers }) {
  const running = servers.filter(s => s.status === 'ACTIVE').length;
  const moving = servers.filter(isMoving);
  const failed = servers.filter(s => s.status === 'ERROR').length;
  const many = servers.length === SHOWN ? '+' : '';
  return html`
    <${Card} title=${t('nav.instances')} actions=${html`<a href="/instances">${t('overview.all')}</a>`}>
      <div class="numbers">
        <div><strong>${number(servers.length)}${many}</strong><span>${t('overview.total')}</span></div>
        <div><strong>${number(running)}</strong><${Badge} tone="good">${t('status.ACTIVE')}<//></div>
        <div><strong>${number(moving.length)}</strong><${Badge} tone=${moving.length ? 'busy' : 'plain'}>${t('overview.moving')}<//></div>
        <div><strong>${number(failed)}</strong><${Badge} tone=${failed ? 'bad' : 'plain'}>${t('status.ERROR')}<//></div>
      </div>
      ${
        moving.length > 0 &&
        html`<ul class="lines">
          ${moving.slice(0, EVENTS).map(server => html`<li key=${server.id}><${ServerLink} server=${server} /><${Badge} tone="busy">${stateOf(server).text}<//></li>`)}
        </ul>`
      }
    <//>
  `;
}

const ServerLink = ({ server }) => html`<a href=${`/instances/${server.id}`}>${server.name}</a>`;

function Quota({ limits, objects }) {
  return html`
    <${Card} title=${t('overview.quota')}>
      <div class="meters">
        <${Meter} label=${t('quota.instances')} used=${limits.totalInstancesUsed ?? 0} limit=${limits.maxTotalInstances} format=${number} />
        <${Meter} label=${t('quota.cores')} used=${limits.totalCoresUsed ?? 0} limit=${limits.maxTotalCores} format=${number} />
        <${Meter} label=${t('quota.ram')} used=${limits.totalRAMUsed ?? 0} limit=${limits.maxTotalRAMSize} format=${megabytes} />
        <${Meter} label=${t('quota.floating')} used=${limits.totalFloatingIpsUsed ?? 0} limit=${limits.maxTotalFloatingIps} format=${number} />
        <${Meter} label=${t('quota.groups')} used=${limits.totalSecurityGroupsUsed ?? 0} limit=${limits.maxSecurityGroups} format=${number} />
        ${limits.maxTotalVolumes !== undefined && session.get().services.includes('volume') && html`<${Meter} label=${t('quota.volumes')} used=${limits.totalVolumesUsed ?? 0} limit=${limits.maxTotalVolumes} format=${number} />`}
      </div>
      ${objects && html`<p class="muted">${t('overview.objects', { count: number(Number(objects.get('x-account-object-count') ?? 0)), size: bytes(Number(objects.get('x-account-bytes-used') ?? 0)) })}</p>`}
    <//>
  `;
}

function Hosts({ hosts, total }) {
  return html`
    <${Card} title=${t('overview.hosts')} actions=${html`<a href="/system">${t('nav.system')}</a>`}>
      ${hosts.map(
        host => html`
          <div class="host" key=${host.id}>
            <h3>${host.hypervisor_hostname}</h3>
            <div class="meters">
              <${Meter} label=${t('quota.cores')} used=${host.vcpus_used} limit=${host.vcpus} format=${number} />
              <${Meter} label=${t('quota.ram')} used=${host.memory_mb_used} limit=${host.memory_mb} format=${megabytes} />
              <${Meter} label=${t('quota.disk')} used=${host.local_gb_used} limit=${host.local_gb} format=${gigabytes} />
            </div>
          </div>
        `,
      )}
      ${total && html`<p class="muted">${t('overview.running', { count: number(total.running_vms) })}</p>`}
    <//>
  `;
}

function Failed({ servers }) {
  const failed = servers.filter(server => server.status === 'ERROR');
  return html`
    <${Card} title=${t('overview.failed')}>
      ${
        failed.length === 0
          ? html`<${Empty} icon="check" title=${t('overview.noneFailed')} />`
          : html`<ul class="lines tall">
              ${failed.slice(0, EVENTS).map(
                server => html`
                  <li key=${server.id}>
                    <div>
                      <${ServerLink} server=${server} />
                      <p class="bad-text">${server.fault?.message ?? t('fault.unknown')}</p>
                      ${explain(server.fault?.message ?? '') && html`<p class="muted">${explain(server.fault.message)}</p>`}
                    </div>
                    <span class="muted nowrap">${ago(server.fault?.created ?? server.updated)}</span>
                  </li>
                `,
              )}
            </ul>`
      }
    <//>
  `;
}

function Events({ servers }) {
  const last = [...servers]
    .sort((a, b) => (parseTime(b.updated) ?? 0) - (parseTime(a.updated) ?? 0))
    .slice(0, EVENTS);
  return html`
    <${Card} title=${t('overview.events')}>
      ${
        last.length === 0
          ? html`<${Empty} icon="instances" title=${t('instances.none')} />`
          : html`<ul class="lines">
              ${last.map(server => {
                const { tone, text } = stateOf(server);
                return html`<li key=${server.id}><${ServerLink} server=${server} /><${Badge} tone=${tone}>${text}<//><span class="muted nowrap">${ago(server.updated)}</span></li>`;
              })}
            </ul>`
      }
    <//>
  `;
}
