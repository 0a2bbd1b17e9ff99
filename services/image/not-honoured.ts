import { notHonoured, QUIET } from '@folsom/config';

/** Options of glance's files that nothing acts on, with the original's defaults, by the reason. */
export const imageNotHonoured = [
  ...notHonoured(
    'DEFAULT',
    'a log line is one JSON object; see debug, log_file, log_dir and use_syslog',
    {
      instance_format: '[instance: %(uuid)s] ',
      instance_uuid_format: '[instance: %(uuid)s] ',
      log_date_format: '%Y-%m-%d %H:%M:%S',
      log_format: '%(asctime)s %(levelname)8s [%(name)s] %(message)s',
      logging_context_format_string:
        '%(asctime)s %(levelname)s %(name)s [%(request_id)s %(user_id)s %(project_id)s] %(instance)s%(message)s',
      logging_debug_format_suffix: '%(funcName)s %(pathname)s:%(lineno)d',
      logging_default_format_string:
        '%(asctime)s %(process)d %(levelname)s %(name)s [-] %(instance)s%(message)s',
      logging_exception_prefix: '%(asctime)s %(process)d TRACE %(name)s %(instance)s',
      use_stderr: true,
    },
    QUIET,
  ),
  ...notHonoured(
    'DEFAULT',
    "the file is one of Python's logging module; see debug, log_file, log_dir and use_syslog",
    {
      log_config: null,
    },
  ),
  ...notHonoured(
    'DEFAULT',
    'a log file is for its owner alone',
    {
      logfile_mode: '0644',
    },
    QUIET,
  ),
  ...notHonoured('DEFAULT', 'errors are in the log alone, not in notifications', {
    publish_errors: false,
  }),
  ...notHonoured('DEFAULT', 'RabbitMQ is the broker; see rabbit_host and the options beside it', {
    qpid_heartbeat: '60',
    qpid_host: null,
    qpid_hostname: 'localhost',
    qpid_notification_exchange: 'glance',
    qpid_notification_topic: 'glance_notifications',
    qpid_password: '',
    qpid_port: '5672',
    qpid_protocol: 'tcp',
    qpid_reconnect_interval: '0',
    qpid_reconnect_interval_max: '0',
    qpid_reconnect_interval_min: '0',
    qpid_reconnect_limit: '0',
    qpid_reconnect_timeout: '0',
    qpid_sasl_mechanisms: '',
    qpid_tcp_nodelay: true,
    qpid_username: '',
  }),
  ...notHonoured(
    'DEFAULT',
    'a lost connection to the broker is tried again with growing pauses, without end',
    {
      rabbit_max_retries: '0',
      rabbit_retry_backoff: '2',
      rabbit_retry_max_backoff: '30',
    },
    QUIET,
  ),
  ...notHonoured('DEFAULT', 'there is no Ceph store; see default_store', {
    rbd_store_ceph_conf: '',
    rbd_store_chunk_size: '4',
    rbd_store_pool: 'rbd',
    rbd_store_user: null,
  }),
  ...notHonoured(
    'DEFAULT',
    'paste_deploy.flavor says whether a login is asked for',
    {
      auth_strategy: 'noauth',
    },
    QUIET,
  ),
  ...notHonoured('DEFAULT', 'tables are made by glance-manage db_sync alone', {
    db_auto_create: false,
  }),
  ...notHonoured(
    'DEFAULT',
    'it tunes the insides of the Python programs',
    {
      backlog: '4096',
      data_api: 'glance.db.sqlalchemy.api',
      sql_idle_timeout: '3600',
      tcp_keepidle: '600',
    },
    QUIET,
  ),
  ...notHonoured('DEFAULT', 'one process serves all requests', { workers: '1' }, QUIET),
  ...notHonoured(
    'DEFAULT',
    'both drivers keep the same files and one database',
    {
      image_cache_driver: 'sqlite',
    },
    QUIET,
  ),
  ...notHonoured(
    'DEFAULT',
    'the database is waited for as long as it takes, at start too',
    {
      sql_max_retries: '10',
      sql_retry_interval: '1',
    },
    QUIET,
  ),
  ...notHonoured('paste_deploy', 'the pipelines are built in; see flavor', {
    config_file: null,
  }),
  ...notHonoured(
    'DEFAULT',
    'the tools speak to the registry that registry_host names',
    { auth_region: null },
    QUIET,
  ),
];
