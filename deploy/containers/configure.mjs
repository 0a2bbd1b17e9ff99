// Writes the configuration of docker-compose.yml: `.env` with generated passwords (once) and the services' files in
// deploy/containers/etc. Plain JavaScript for any Node from 18 on. Options replace the addresses, for other compositions:
// The catalog and the consoles get this machine's address; --host-ip gives another one.
//   node deploy/containers/configure.mjs [--host-ip ADDRESS] [--out DIR] [--env FILE] [--set name=value ...]
import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { expirerSample, PROXY_PORT, proxySample, STORAGE, storageSample } from '../conf/swift-samples.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: join(here, 'etc') },
    env: { type: 'string', default: join(here, '..', '..', '.env') },
    'host-ip': { type: 'string' },
    set: { type: 'string', multiple: true, default: [] },
  },
});

/** The databases; each belongs to a user of its own. */
const DATABASES = ['keystone', 'glance', 'nova'];

/** The address others reach this machine at: the first that is neither loopback nor a bridge of containers or guests. */
const ownAddress = () =>
  Object.entries(networkInterfaces())
    .filter(([name]) => !/^(docker|br-|br\d|virbr|veth|lxc)/.test(name))
    .flatMap(([, addresses]) => addresses ?? [])
    .find(({ family, internal }) => family === 'IPv4' && !internal)?.address ?? '127.0.0.1';

const kept = Object.fromEntries(
  (existsSync(values.env) ? readFileSync(values.env, 'utf8') : '')
    .split('\n')
    .filter(line => line.includes('='))
    .map(line => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
);
const before = JSON.stringify(kept);
for (const name of [
  'FOLSOM_PASSWORD',
  'FOLSOM_ADMIN_TOKEN',
  'FOLSOM_HASH_SUFFIX',
  ...DATABASES.map(database => `FOLSOM_${database.toUpperCase()}_DB_PASSWORD`),
])
  kept[name] ??= randomBytes(20).toString('hex');
kept.FOLSOM_HOST_IP = values['host-ip'] ?? kept.FOLSOM_HOST_IP ?? ownAddress();
if (JSON.stringify(kept) !== before) {
  const lines = Object.entries(kept).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(values.env, lines.join(''), { mode: 0o600 });
}

/** Every address and secret the files below use. */
const settings = {
  password: kept.FOLSOM_PASSWORD,
  adminToken: kept.FOLSOM_ADMIN_TOKEN,
  hashSuffix: kept.FOLSOM_HASH_SUFFIX,
  state: '/var/lib/folsom',
  etc: '/etc/folsom',
  mysqlAddress: 'mariadb:3306',
  rabbitHost: 'rabbitmq',
  rabbitPort: '5672',
  rabbitUser: 'folsom',
  redis: 'redis:6379',
  keystone: 'keystone',
  keystonePublicPort: '5000',
  keystoneAdminPort: '35357',
  glance: 'glance-api',
  glancePort: '9292',
  registry: 'glance-registry',
  registryPort: '9191',
  ec2Port: '8773',
  computePort: '8774',
  volumePort: '8776',
  metadataPort: '8775',
  novncPort: '6080',
  xvpvncPort: '6081',
  swiftProxyPort: String(PROXY_PORT),
  accountPort: String(STORAGE.account.port),
  containerPort: String(STORAGE.container.port),
  objectPort: String(STORAGE.object.port),
  bind: '0.0.0.0',
  storageBind: '127.0.0.1',
  computeDriver: 'libvirt.LibvirtDriver',
  fakeNetwork: 'False',
  host: '',
  hostIp: kept.FOLSOM_HOST_IP,
  ...Object.fromEntries(
    values.set.map(pair => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]),
  ),
};

const databasePassword = name => kept[`FOLSOM_${name.toUpperCase()}_DB_PASSWORD`];
const mysql = name => `mysql://${name}:${databasePassword(name)}@${settings.mysqlAddress}/${name}`;

/** Where keystone is, and the user that validates tokens there. */
const identity = user => [
  `auth_host = ${settings.keystone}`,
  `auth_port = ${settings.keystoneAdminPort}`,
  'auth_protocol = http',
  'admin_tenant_name = service',
  `admin_user = ${user}`,
  `admin_password = ${settings.password}`,
  `redis_url = redis://${settings.redis}/0`,
];

const authtoken = user => `[keystone_authtoken]\n${identity(user).join('\n')}\n`;

const swiftCache = `memcache_servers = redis://${settings.redis}/1`;
const swiftDir = `swift_dir = ${settings.state}/swift`;

/** One of swift's storage servers with its daemons. */
const storage = (kind, port) =>
  storageSample(kind, {
    DEFAULT: [
      `devices = ${settings.state}/swift/devices`,
      swiftDir,
      'mount_check = false',
      `bind_ip = ${settings.storageBind}`,
      `bind_port = ${port}`,
    ],
    'filter:recon': [`recon_cache_path = ${settings.state}/swift/cache`],
  });

const rabbit = `rabbit_host = ${settings.rabbitHost}
rabbit_port = ${settings.rabbitPort}
rabbit_userid = ${settings.rabbitUser}
rabbit_password = ${settings.password}
`;

const files = {
  // Run at every start, so that a cloud of before gets its users, too.
  'databases.sql': DATABASES.map(
    name => `CREATE DATABASE IF NOT EXISTS ${name} CHARACTER SET utf8;
CREATE USER IF NOT EXISTS '${name}'@'%';
ALTER USER '${name}'@'%' IDENTIFIED BY '${databasePassword(name)}';
GRANT ALL ON ${name}.* TO '${name}'@'%';
`,
  ).join(''),
  'keystone.conf': `[DEFAULT]
admin_token = ${settings.adminToken}
bind_host = ${settings.bind}
public_port = ${settings.keystonePublicPort}
admin_port = ${settings.keystoneAdminPort}
${rabbit}[sql]
connection = ${mysql('keystone')}
[token]
driver = keystone.token.backends.sql.Token
revocation_bus = True
[ec2]
driver = keystone.contrib.ec2.backends.sql.Ec2
`,
  'glance-api.conf': `[DEFAULT]
complete_v2_api = True
bind_host = ${settings.bind}
bind_port = ${settings.glancePort}
sql_connection = ${mysql('glance')}
registry_host = ${settings.registry}
registry_port = ${settings.registryPort}
filesystem_store_datadir = ${settings.state}/images
${authtoken('glance')}[paste_deploy]
flavor = keystone
`,
  'glance-registry.conf': `[DEFAULT]
bind_host = ${settings.bind}
bind_port = ${settings.registryPort}
sql_connection = ${mysql('glance')}
${authtoken('glance')}[paste_deploy]
flavor = keystone
`,
  'nova.conf': `[DEFAULT]
auth_strategy = keystone
state_path = ${settings.state}/nova
enabled_apis = ec2,osapi_compute,osapi_volume
ec2_listen = ${settings.bind}
ec2_listen_port = ${settings.ec2Port}
osapi_volume_listen = ${settings.bind}
osapi_volume_listen_port = ${settings.volumePort}
volume_driver = file
osapi_compute_listen = ${settings.bind}
osapi_compute_listen_port = ${settings.computePort}
metadata_listen = ${settings.bind}
metadata_listen_port = ${settings.metadataPort}
sql_connection = ${mysql('nova')}
${rabbit}glance_api_servers = ${settings.glance}:${settings.glancePort}
network_manager = nova.network.manager.FlatDHCPManager
libvirt_use_virtio_for_bridges = True
flat_network_bridge = br100
compute_driver = ${settings.computeDriver}
fake_network = ${settings.fakeNetwork}
${settings.host ? `host = ${settings.host}\n` : ''}novncproxy_host = ${settings.bind}
novncproxy_port = ${settings.novncPort}
xvpvncproxy_host = ${settings.bind}
xvpvncproxy_port = ${settings.xvpvncPort}
novncproxy_base_url = http://${settings.hostIp}:${settings.novncPort}/vnc_auto.html
xvpvncproxy_base_url = http://${settings.hostIp}:${settings.xvpvncPort}/console
my_ip = ${settings.hostIp}
${authtoken('nova')}`,
  'account-server.conf': storage('account', settings.accountPort),
  'container-server.conf': storage('container', settings.containerPort),
  'object-server.conf': storage('object', settings.objectPort),
  'object-expirer.conf': expirerSample({ DEFAULT: [swiftDir], 'filter:cache': [swiftCache] }),
  'swift.conf': `[swift-hash]
swift_hash_path_suffix = ${settings.hashSuffix}
`,
  'proxy-server.conf': proxySample({
    DEFAULT: [swiftDir, `bind_ip = ${settings.bind}`, `bind_port = ${settings.swiftProxyPort}`],
    'filter:cache': [swiftCache],
    'filter:authtoken': identity('swift'),
  }),
};

mkdirSync(values.out, { recursive: true });
for (const [name, text] of Object.entries(files))
  writeFileSync(join(values.out, name), text, { mode: 0o600 });
