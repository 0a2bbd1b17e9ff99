import { bool, float, int, list, multi, secret, str } from '@folsom/config';

/** What every nova daemon reads: itself, the database, the bus, topics, logging. */
export const common = {
  // Programs give the machine's own name and address as facts to loadConfig.
  host: str('localhost', 'Name of this node in service records and queue names'),
  my_ip: str('127.0.0.1', 'Address of this host'),
  state_path: str('/var/lib/nova', 'Directory that holds state'),
  lock_path: str('$state_path/lock', 'Directory of the locks that daemons of one host share'),
  root_helper: str('sudo', 'What stands before commands that need root, for daemons that are not'),
  rootwrap_config: str(null, 'Filters of nova-rootwrap; with them, root_helper runs it and nothing else'),
  node_availability_zone: str('nova', 'Availability zone of this node'),
  report_interval: int(10, 'Seconds between heartbeats of a service'),
  service_down_time: int(60, 'Seconds after the last heartbeat at which a service counts as down'),
  periodic_interval: int(60, 'Seconds between runs of periodic tasks'),
  memcached_servers: list([], 'Memcached servers as host:port, or none for in-process caching'),
  default_schedule_zone: str(null, 'Availability zone used when a boot names none'),
  instance_name_template: str('instance-%08x', 'Name of a guest on its hypervisor, made from its number'),
  snapshot_name_template: str('snapshot-%s', 'Name of a volume snapshot, made from its id'),
  volume_name_template: str('volume-%s', 'Name of a volume, made from its id'),
  reclaim_instance_interval: int(0, 'Seconds a deleted instance can be restored; 0 deletes at once'),
  default_instance_type: str('m1.small', 'Flavor booted when a request names none (EC2)'),
  null_kernel: str('nokernel', 'Kernel id that stands for "boot without a kernel"'),
  password_length: int(12, 'Length of generated administrator passwords'),

  sqlite_db: str('nova.sqlite', 'File of the database, where sql_connection names none'),
  sql_connection: secret('sqlite:///$state_path/$sqlite_db', 'Database URL'),
  sql_max_retries: int(10, 'Attempts to connect to the database at start; -1 for ever'),
  sql_retry_interval: int(10, 'Seconds between these attempts'),

  rpc_backend: str('nova.openstack.common.rpc.impl_kombu', 'Messaging module'),
  rpc_thread_pool_size: int(64, 'Messages worked on at the same time per consumer'),
  rpc_response_timeout: int(60, 'Seconds to wait for the answer to a call'),
  allowed_rpc_exception_modules: list(
    ['nova.openstack.common.exception', 'nova.exception', 'cinder.exception'],
    'Modules whose exceptions are rebuilt at the caller',
  ),
  control_exchange: str('nova', 'Topic exchange'),
  fake_rabbit: bool(false, 'Carry messages inside the process'),
  rabbit_host: str('localhost', 'Broker host'),
  rabbit_port: int(5672, 'Broker port'),
  rabbit_userid: str('guest', 'Broker user'),
  rabbit_password: secret('guest', 'Broker password'),
  rabbit_virtual_host: str('/', 'Broker virtual host'),
  rabbit_use_ssl: bool(false, 'Connect to the broker with TLS'),
  rabbit_retry_interval: int(1, 'Seconds before the first reconnection'),
  rabbit_retry_backoff: int(2, 'Seconds added for every further one'),
  rabbit_max_retries: int(0, 'Reconnections before giving up; 0 for ever'),
  rabbit_durable_queues: bool(false, 'Declare durable queues and exchanges'),

  compute_topic: str('compute', 'Topic of nova-compute'),
  scheduler_topic: str('scheduler', 'Topic of nova-scheduler'),
  network_topic: str('network', 'Topic of nova-network'),
  volume_topic: str('volume', 'Topic of nova-volume'),
  cert_topic: str('cert', 'Topic of nova-cert'),
  console_topic: str('console', 'Topic of nova-console'),
  consoleauth_topic: str('consoleauth', 'Topic of nova-consoleauth'),

  notification_driver: multi([], 'Notifiers that events are given to'),
  notification_topics: list(['notifications'], 'Topics that rabbit notifiers publish on'),
  notify_on_any_change: bool(false, 'Send compute.instance.update on every change'),
  notify_on_state_change: str(null, 'Send compute.instance.update on vm_state or vm_and_task_state changes'),
  instance_usage_audit: bool(false, 'Send compute.instance.exists every audit period'),
  instance_usage_audit_period: str('month', 'hour, day, month or year'),

  glance_host: str('$my_ip', 'Image service host'),
  glance_port: int(9292, 'Image service port'),
  glance_api_servers: list(['$glance_host:$glance_port'], 'Image services as host:port'),
  glance_num_retries: int(0, 'Further attempts at a failed download'),
  s3_host: str('$my_ip', 'S3 host'),
  s3_port: int(3333, 'S3 port'),

  policy_file: str('policy.json', 'Policy file'),
  policy_default_rule: str('default', 'Rule for an action without an entry'),
};

/** Weights that several daemons compare against. */
export const capacity = {
  cpu_allocation_ratio: float(16, 'Virtual processors promised for each real one'),
  ram_allocation_ratio: float(1.5, 'Memory promised for each real megabyte'),
  disk_allocation_ratio: float(1, 'Disk promised for each real gigabyte'),
  reserved_host_memory_mb: int(512, 'Megabytes kept for the host'),
  reserved_host_disk_mb: int(0, 'Megabytes of disk kept for the host'),
};
