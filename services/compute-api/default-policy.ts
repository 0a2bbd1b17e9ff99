import { loadPolicy, type Policy } from '@folsom/policy';

const ADMIN = [['rule:admin_api']];
const OWNER = [['rule:admin_or_owner']];
const ANYBODY: never[] = [];

const extension = (rule: readonly unknown[], names: readonly string[]) =>
  Object.fromEntries(names.map(name => [`compute_extension:${name}`, rule]));

/**
 * Who may do what where the operator has no policy.json: Folsom's own rules. An action that is not named takes the
 * `default` rule: administrators and the owner.
 */
const DEFAULT_POLICY: Readonly<Record<string, readonly unknown[]>> = {
  context_is_admin: [['role:admin']],
  admin_api: [['is_admin:True']],
  admin_or_owner: [['is_admin:True'], ['project_id:%(project_id)s']],
  default: OWNER,
  'compute:create': ANYBODY,
  'compute:create:attach_network': ANYBODY,
  'compute:create:attach_volume': ANYBODY,
  'compute:get_all': ANYBODY,
  'volume:create': ANYBODY,
  'volume:get_all': ANYBODY,
  'volume:get_volume_metadata': ANYBODY,
  'volume:get_snapshot': ANYBODY,
  'volume:get_all_snapshots': ANYBODY,
  'volume_extension:types_manage': ADMIN,
  'volume_extension:types_extra_specs': ADMIN,
  'volume_extension:volume_admin_actions:reset_status': ADMIN,
  'volume_extension:snapshot_admin_actions:reset_status': ADMIN,
  'volume_extension:volume_admin_actions:force_delete': ADMIN,
  ...extension(ADMIN, [
    'accounts',
    'admin_actions',
    'admin_actions:lock',
    'admin_actions:unlock',
    'admin_actions:resetNetwork',
    'admin_actions:injectNetworkInfo',
    'admin_actions:migrateLive',
    'admin_actions:resetState',
    'admin_actions:migrate',
    'aggregates',
    'cloudpipe',
    'extended_server_attributes',
    'flavormanage',
    'hosts',
    'hypervisors',
    'instance_usage_audit_log',
    'networks',
    'quotas:update',
    'server_diagnostics',
    'simple_tenant_usage:list',
    'users',
  ]),
  ...extension(OWNER, [
    'admin_actions:pause',
    'admin_actions:unpause',
    'admin_actions:suspend',
    'admin_actions:resume',
    'admin_actions:createBackup',
    'simple_tenant_usage:show',
  ]),
  ...extension(ANYBODY, [
    'certificates',
    'console_output',
    'consoles',
    'createserverext',
    'deferred_delete',
    'disk_config',
    'extended_status',
    'flavor_access',
    'flavor_disabled',
    'flavor_rxtx',
    'flavor_swap',
    'flavorextradata',
    'flavorextraspecs',
    'floating_ip_dns',
    'floating_ip_pools',
    'floating_ips',
    'keypairs',
    'multinic',
    'networks:view',
    'quotas:show',
    'quota_classes',
    'rescue',
    'security_groups',
    'virtual_interfaces',
    'virtual_storage_arrays',
    'volumes',
    'volumetypes',
  ]),
};

/** The policy in force without a policy.json. */
export const novaPolicy = (): Policy => loadPolicy(JSON.stringify(DEFAULT_POLICY), 'default');
