import {
  expirerSample,
  PROXY_PORT,
  proxySample,
  STORAGE,
  type StorageKind,
  storageSample,
} from '../conf/swift-samples.mjs';

/** swift's sample files, by path: a proxy behind keystone and the three servers on /srv/node. */

const storage = (kind: StorageKind): string =>
  storageSample(kind, {
    DEFAULT: [
      'bind_ip = 127.0.0.1',
      `bind_port = ${STORAGE[kind].port}`,
      'devices = /srv/node',
      '# Devices are mounted: a folder whose disk is away takes nothing.',
      'mount_check = true',
    ],
    'filter:recon': ['recon_cache_path = /var/cache/swift'],
  });

const CACHE = 'memcache_servers = 127.0.0.1:11211';

const PROXY = proxySample({
  DEFAULT: ['bind_ip = 0.0.0.0', `bind_port = ${PROXY_PORT}`],
  'filter:cache': ['memcache_servers = 127.0.0.1:11211'],
  'filter:authtoken': [
    '# Where keystone is, and the user that validates tokens there.',
    'auth_host = 127.0.0.1',
    'auth_port = 35357',
    'auth_protocol = http',
    '#admin_tenant_name = service',
    '#admin_user = swift',
    '#admin_password =',
  ],
});

const SWIFT = `# A long random text, the same on every host of a cluster and for ever: objects are found by it. No server starts without it:
# openstack-config --set /etc/swift/swift.conf swift-hash swift_hash_path_suffix $(openssl rand -hex 10)
[swift-hash]
#swift_hash_path_suffix =
`;

export const SWIFT_FILES: readonly { path: string; text: string }[] = [
  { path: '/etc/swift/swift.conf', text: SWIFT },
  { path: '/etc/swift/proxy-server.conf', text: PROXY },
  { path: '/etc/swift/account-server.conf', text: storage('account') },
  { path: '/etc/swift/container-server.conf', text: storage('container') },
  { path: '/etc/swift/object-server.conf', text: storage('object') },
  { path: '/etc/swift/object-expirer.conf', text: expirerSample({ 'filter:cache': [CACHE] }) },
];
