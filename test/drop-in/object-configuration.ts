import { mkdirSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { authToken, type Facts, iniText } from './configuration.ts';
import { HASH_SUFFIX, type Originals } from './originals.ts';

const DEVICES = ['d1', 'd2', 'd3'] as const;
/** 2^n partitions: enough for some objects. */
const PART_POWER = 6;
const RINGS = ['account', 'container', 'object'] as const;
/** How often updaters go about. */
const UPDATE_SECONDS = 3;

/** Writes swift's files, makes its devices, and lets the original make the rings. */
export async function writeObjectFiles(facts: Facts, originals: Originals): Promise<void> {
  const etc = join(facts.dir, 'etc');
  const devices = join(facts.dir, 'devices');
  for (const device of DEVICES) mkdirSync(join(devices, device), { recursive: true });
  mkdirSync(join(facts.dir, 'recon'));
  const write = (name: string, sections: Parameters<typeof iniText>[0]) =>
    writeFileSync(join(etc, name), iniText(sections), { mode: 0o600 });
  const server = (port: number) => ({
    ...{ bind_ip: '127.0.0.1', bind_port: port, workers: 1, user: userInfo().username, swift_dir: etc },
    // The originals do not start where nothing listens at /dev/log.
    ...{ devices, mount_check: false, log_level: 'INFO', log_udp_host: '127.0.0.1' },
    ...{ recon_cache_path: join(facts.dir, 'recon'), conn_timeout: 10, node_timeout: 30 },
  });
  write('swift.conf', { 'swift-hash': { swift_hash_path_suffix: HASH_SUFFIX } });
  for (const name of RINGS) {
    write(`${name}-server.conf`, {
      DEFAULT: server(facts.ports[name]),
      'pipeline:main': { pipeline: `${name}-server` },
      [`app:${name}-server`]: { use: `egg:swift#${name}` },
      [`${name}-replicator`]: {},
      [`${name}-auditor`]: {},
      [`${name}-updater`]: { interval: UPDATE_SECONDS },
    });
    const ring = (...words: string[]) =>
      originals.run('swift', 'swift-ring-builder', [join(etc, `${name}.builder`), ...words]);
    await ring('create', String(PART_POWER), String(DEVICES.length), '1');
    for (const [at, device] of DEVICES.entries())
      await ring('add', `z${at + 1}-127.0.0.1:${facts.ports[name]}/${device}`, '1');
    await ring('rebalance');
  }
  write('proxy-server.conf', {
    DEFAULT: server(facts.ports.proxy),
    'pipeline:main': { pipeline: 'healthcheck cache authtoken keystoneauth proxy-server' },
    'app:proxy-server': { use: 'egg:swift#proxy', account_autocreate: true, allow_account_management: true },
    'filter:healthcheck': { use: 'egg:swift#healthcheck' },
    'filter:cache': { use: 'egg:swift#memcache', memcache_servers: `127.0.0.1:${facts.memcachedPort}` },
    'filter:authtoken': {
      'paste.filter_factory': 'keystone.middleware.auth_token:filter_factory',
      ...authToken(facts),
      delay_auth_decision: 1,
    },
    'filter:keystoneauth': { use: 'egg:swift#keystoneauth', operator_roles: 'admin, Member' },
  });
}
