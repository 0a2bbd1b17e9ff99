import { authTokenOptions } from '@folsom/auth';
import { bool, int, list, options, port, secret, str } from '@folsom/config';

/** Options of glance-api, glance-registry and their tools in [DEFAULT]; names and defaults are Folsom's. */
export const imageOptions = options('DEFAULT', {
  bind_host: str('0.0.0.0', 'Address to bind the server to'),
  bind_port: int(null, 'Port to bind the server to: 9292 for the API, 9191 for the registry'),
  cert_file: str(null, 'Certificate of the server: with it, TLS is spoken'),
  key_file: str(null, 'Its private key; unset where it stands in cert_file'),
  ca_file: str(null, 'Authority that client certificates must come from; unset: clients need none'),

  sql_connection: secret('sqlite:///glance.sqlite', 'Connection string of the database'),

  admin_role: str('admin', 'Role that makes an administrator'),
  owner_is_tenant: bool(true, 'Images belong to the tenant; otherwise to the user'),
  allow_anonymous_access: bool(false, 'Requests without a token may read public images'),

  enable_v1_api: bool(true, 'Serve version 1'),
  enable_v2_api: bool(true, 'Serve version 2'),
  limit_param_default: int(25, 'Images a page when none is asked for'),
  api_limit_max: int(1000, 'Most images a page'),
  allow_additional_image_properties: bool(
    true,
    'Images may have properties the schema does not name (version 2)',
  ),
  complete_v2_api: bool(
    false,
    'Version 2 as the next release completed it: an image is active once it has its bytes, and PATCH takes v2.1 as well. ' +
      'Folsom leaves such images queued',
  ),
  show_image_direct_url: bool(false, 'Show where an image is stored (version 2)'),
  image_size_cap: int(1_099_511_627_776, 'Largest image in bytes'),

  registry_host: str('0.0.0.0', 'Address of the registry'),
  registry_port: port(9191, 'Port of the registry'),
  registry_client_protocol: str('http', 'http, https, or local: the API works on the database itself', {
    choices: ['http', 'https', 'local'],
  }),
  registry_client_key_file: str(null, 'Key for TLS to the registry'),
  registry_client_cert_file: str(null, 'Certificate for TLS to the registry'),
  registry_client_ca_file: str(null, 'Authority that signed the registry certificate'),
  metadata_encryption_key: secret(null, 'AES key (16, 24 or 32 characters) that encrypts stored locations'),

  policy_file: str('policy.json', 'Rules of who may do what'),
  policy_default_rule: str('default', 'Rule for actions without one'),

  default_store: str('file', 'Scheme of the store that takes new images'),
  known_stores: list(
    [
      'glance.store.filesystem.Store',
      'glance.store.http.Store',
      'glance.store.rbd.Store',
      'glance.store.s3.Store',
      'glance.store.swift.Store',
    ],
    'Stores in use, by the names of the original classes',
  ),
  delayed_delete: bool(false, 'Leave the bytes of deleted images to the scrubber'),
  scrub_time: int(0, 'Seconds before the scrubber removes the bytes of a deleted image'),
  scrubber_datadir: str('/var/lib/glance/scrubber', 'Where the scrubber keeps its queue'),
  cleanup_scrubber: bool(false, 'The scrubber also looks for pending deletes in the database'),
  cleanup_scrubber_time: int(86_400, 'Seconds after which a forgotten pending delete is cleaned up'),
  daemon: bool(false, 'Run for good (scrubber)', { short: 'D' }),
  wakeup_time: int(300, 'Seconds between two runs of a daemon'),

  image_cache_dir: str(null, 'Directory of the image cache'),
  image_cache_sqlite_db: str('cache.db', 'Database file of the image cache'),
  image_cache_max_size: int(10_737_418_240, 'Bytes to which the pruner cuts the cache'),
  image_cache_stall_time: int(86_400, 'Seconds after which an unfinished cache file is removed'),
  image_cache_invalid_entry_grace_period: int(3600, 'Seconds invalid cache files are kept'),

  notifier_strategy: str('default', 'noop, logging or rabbit'),
  rabbit_notification_exchange: str('glance', 'Exchange notifications go to'),
  rabbit_notification_topic: str('glance_notifications', 'Topic notifications go to'),
  rabbit_host: str('localhost', 'Broker of the notifications'),
  rabbit_port: port(5672, 'Port of the broker'),
  rabbit_use_ssl: bool(false, 'Speak TLS to the broker'),
  rabbit_userid: str('guest', 'User at the broker'),
  rabbit_password: secret('guest', 'Password at the broker'),
  rabbit_virtual_host: str('/', 'Virtual host at the broker'),
  rabbit_durable_queues: bool(false, 'Queues and exchange outlive the broker'),

  admin_user: str(null, 'User the tools log in as'),
  admin_password: secret(null, 'Password the tools log in with'),
  admin_tenant_name: str(null, 'Tenant the tools log in to'),
  auth_url: str(null, 'Identity service the tools log in at'),

  upload_journal_dir: str(
    null,
    'Where uploads in progress are noted, so that a restart can clean up; default: inside the file store, without one `uploads` beside scrubber_datadir',
  ),
  external_source_networks: list(
    [],
    'Networks (CIDR) that locations and copies given by users may point to although they are loopback, link-local or private',
  ),
  external_source_schemes: list(
    ['http', 'https', 'swift', 'swift+http', 'swift+https', 's3', 's3+http', 's3+https'],
    'Schemes that locations and copies given by users may have',
  ),
});

/** Options of the stores in [DEFAULT]. */
export const storeOptions = options('DEFAULT', {
  filesystem_store_datadir: str(null, 'Directory of the file store'),

  swift_enable_snet: bool(false, 'Reach swift by its internal name (snet-)'),
  swift_store_auth_address: str(null, 'Identity service of the swift store; https:// unless it says http://'),
  swift_store_user: secret(null, 'tenant:user (version 2) or account:user (version 1)'),
  swift_store_key: secret(null, 'Password of the swift store'),
  swift_store_auth_version: str('2', '1 (swauth, tempauth) or 2 (keystone)'),
  swift_store_region: str(null, 'Region of the object-store endpoint'),
  swift_store_container: str('glance', 'Container of the images'),
  swift_store_large_object_size: int(5120, 'MB from which an image is stored in segments'),
  swift_store_large_object_chunk_size: int(200, 'MB of a segment'),
  swift_store_create_container_on_put: bool(false, 'Create the container when it is missing'),
  swift_store_multi_tenant: bool(false, "Keep images in the tenants' own accounts"),
  swift_store_admin_tenants: list([], 'Tenants that may read and write all multi-tenant images'),

  s3_store_host: str(null, 'Host of the S3 service'),
  s3_store_access_key: secret(null, 'Access key'),
  s3_store_secret_key: secret(null, 'Secret key'),
  s3_store_bucket: str(null, 'Bucket of the images'),
  s3_store_object_buffer_dir: str(null, 'Directory for data of unknown size on its way to S3'),
  s3_store_create_bucket_on_put: bool(false, 'Create the bucket when it is missing'),
  s3_store_bucket_url_format: str('subdomain', 'subdomain or path'),
});

/** Which of the original pipelines is served. */
export const pasteOptions = options('paste_deploy', {
  flavor: str(
    null,
    'keystone, caching, cachemanagement, keystone+caching or keystone+cachemanagement; none: no login',
  ),
});

export const imageDeclarations = [imageOptions, storeOptions, pasteOptions, authTokenOptions] as const;
