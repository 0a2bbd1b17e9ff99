import { known, t } from '../../lib/text.js';

/** How a status looks; what is not named here is in the middle of something. */
const TONES = {
  ACTIVE: 'good',
  SHUTOFF: 'plain',
  PAUSED: 'plain',
  SUSPENDED: 'plain',
  RESCUE: 'warn',
  VERIFY_RESIZE: 'warn',
  ERROR: 'bad',
  DELETED: 'plain',
  UNKNOWN: 'warn',
};

export const taskOf = server => server['OS-EXT-STS:task_state'] ?? null;

/** Whether something goes on that will end by itself. */
export const isMoving = server => taskOf(server) !== null || !(server.status in TONES);

export function stateOf(server) {
  const task = taskOf(server);
  const tone = task !== null && server.status !== 'ERROR' ? 'busy' : (TONES[server.status] ?? 'busy');
  const status = known(`status.${server.status}`) ?? server.status;
  const doing = task === null ? null : (known(`task.${task}`) ?? task.replaceAll('_', ' '));
  return { tone, text: doing ? `${status} · ${doing}` : status };
}

/** Addresses of a server as `{ address, floating, version }`; a floating one follows the fixed ones of its network. */
export const addressesOf = server =>
  Object.entries(server.addresses ?? {}).flatMap(([network, list]) =>
    list.map((entry, at) => ({
      network,
      address: entry.addr,
      version: entry.version,
      floating: entry['OS-EXT-IPS:type']
        ? entry['OS-EXT-IPS:type'] === 'floating'
        : at > 0 && entry.version === 4,
    })),
  );

/** What a fault means, beside its own text. */
export function explain(message) {
  if (/NoValidHost|No valid host/i.test(message)) return t('fault.noValidHost');
  if (/unacceptable|disk format/i.test(message)) return t('fault.badImage');
  if (/quota/i.test(message)) return t('fault.quota');
  return null;
}

const IDLE = server => taskOf(server) === null;

/**
 * What can be done with an instance, by its state. `body` is what POST servers/ID/action gets; actions that ask for more have none.
 */
export const ACTIONS = [
  { key: 'start', when: s => s.status === 'SHUTOFF' && IDLE(s), body: { 'os-start': null } },
  {
    key: 'stop',
    when: s => (s.status === 'ACTIVE' || s.status === 'RESCUE') && IDLE(s),
    body: { 'os-stop': null },
  },
  { key: 'reboot', when: s => s.status === 'ACTIVE' && IDLE(s), body: { reboot: { type: 'SOFT' } } },
  {
    key: 'hardReboot',
    when: s => ['ACTIVE', 'SHUTOFF', 'PAUSED', 'SUSPENDED', 'ERROR'].includes(s.status),
    body: { reboot: { type: 'HARD' } },
  },
  { key: 'pause', when: s => s.status === 'ACTIVE' && IDLE(s), body: { pause: null } },
  { key: 'unpause', when: s => s.status === 'PAUSED' && IDLE(s), body: { unpause: null } },
  { key: 'suspend', when: s => s.status === 'ACTIVE' && IDLE(s), body: { suspend: null } },
  { key: 'resume', when: s => s.status === 'SUSPENDED' && IDLE(s), body: { resume: null } },
  { key: 'confirmResize', when: s => s.status === 'VERIFY_RESIZE' && IDLE(s), body: { confirmResize: null } },
  { key: 'revertResize', when: s => s.status === 'VERIFY_RESIZE' && IDLE(s), body: { revertResize: null } },
  { key: 'unrescue', when: s => s.status === 'RESCUE' && IDLE(s), body: { unrescue: null } },
  { key: 'rescue', when: s => ['ACTIVE', 'SHUTOFF'].includes(s.status) && IDLE(s), body: { rescue: null } },
  { key: 'snapshot', when: s => ['ACTIVE', 'SHUTOFF'].includes(s.status) && IDLE(s) },
  { key: 'resize', when: s => ['ACTIVE', 'SHUTOFF'].includes(s.status) && IDLE(s) },
  { key: 'rebuild', when: s => ['ACTIVE', 'SHUTOFF'].includes(s.status) && IDLE(s) },
  { key: 'rename', when: () => true },
  { key: 'groups', when: s => s.status === 'ACTIVE' },
  { key: 'metadata', when: () => true },
  { key: 'lock', admin: true, when: () => true, body: { lock: null } },
  { key: 'unlock', admin: true, when: () => true, body: { unlock: null } },
  { key: 'migrate', admin: true, when: s => s.status === 'ACTIVE' && IDLE(s), body: { migrate: null } },
  {
    key: 'resetState',
    admin: true,
    when: s => s.status === 'ERROR' || !IDLE(s),
    body: { 'os-resetState': { state: 'active' } },
  },
  { key: 'delete', danger: true, when: s => s.status !== 'DELETED' && taskOf(s) !== 'deleting' },
];

export const actionsOf = (server, admin) =>
  ACTIONS.filter(action => (admin || !action.admin) && action.when(server));
