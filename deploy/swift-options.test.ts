import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dbReplicatorOptions, dbServerConf } from '@folsom/container-db';
import { seededRandom, silentLogger, systemClock } from '@folsom/core';
import { reaperOptions } from '@folsom/object-account';
import {
  containerServerConf,
  updaterOptions as containerUpdaterOptions,
  syncOptions,
} from '@folsom/object-container';
import type { Tools } from '@folsom/object-proxy/middleware/middleware';
import { proxyOptions } from '@folsom/object-proxy/options';
import { buildPipeline } from '@folsom/object-proxy/pipeline';
import {
  auditorOptions,
  expirerOptions,
  objectServerOptions,
  replicatorOptions,
  updaterOptions,
} from '@folsom/object-server';
import { benchOptions, dispersionOptions } from '@folsom/object-tools';
import { type ConfSection, confSection, reconOptions, type SwiftConf } from '@folsom/swift';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { swiftWorld, workersOf } from './swift-program.ts';
import { listenOf } from './swift-server.ts';
import { becomeUser } from './swift-user.ts';

let swiftDir: string;
beforeAll(() => {
  swiftDir = mkdtempSync(join(tmpdir(), 'swift-options-'));
  writeFileSync(join(swiftDir, 'swift.conf'), '[swift-hash]\nswift_hash_path_suffix = x\n');
});
afterAll(() => rmSync(swiftDir, { recursive: true }));

/** A section that notes which options are asked for. */
function noting(values: Record<string, string> = {}): { conf: ConfSection; asked: Set<string> } {
  const asked = new Set<string>();
  const conf = confSection(values);
  const note =
    <T extends unknown[], R>(read: (option: string, ...rest: T) => R) =>
    (option: string, ...rest: T): R => {
      asked.add(option);
      return read(option, ...rest);
    };
  const plain = new Proxy(values, {
    get: (target, name) => {
      asked.add(String(name));
      return target[String(name)];
    },
    ownKeys: target => {
      asked.add('(all)');
      return Reflect.ownKeys(target);
    },
  });
  return {
    asked,
    conf: {
      ...conf,
      values: plain,
      has: note(conf.has),
      str: note(conf.str),
      int: note(conf.int),
      float: note(conf.float),
      bool: note(conf.bool),
      list: note(conf.list),
    },
  };
}

const LOG =
  'log_name log_facility log_level log_address log_udp_port log_statsd_host log_statsd_port log_statsd_default_sample_rate';
const DAEMON = `${LOG} swift_dir user`;
const SERVER = `${DAEMON} bind_ip bind_port backlog workers cert_file key_file`;
const STORAGE = `${SERVER} devices mount_check disable_fallocate`;
const DB_REPLICATOR =
  'vm_test_mode per_diff max_diffs concurrency interval node_timeout conn_timeout reclaim_age run_pause recon_cache_path';

async function program(conf: ConfSection): Promise<void> {
  swiftWorld(conf);
  await becomeUser(conf);
}
async function server(conf: ConfSection): Promise<void> {
  await program(conf);
  listenOf(conf, 1);
  workersOf(conf);
}
const withServer = (read: (conf: ConfSection) => unknown) => async (conf: ConfSection) => {
  await server(conf);
  read(conf);
};
const withProgram = (read: (conf: ConfSection) => unknown) => async (conf: ConfSection) => {
  await program(conf);
  read(conf);
};

/** The options of the original's sample files, by section, and what reads them here. */
const PROGRAMS: [section: string, options: string, read: (conf: ConfSection) => unknown][] = [
  [
    'app:account-server',
    `${STORAGE} db_preallocation log_requests auto_create_account_prefix`,
    withServer(dbServerConf),
  ],
  [
    'app:container-server',
    `${STORAGE} db_preallocation log_requests auto_create_account_prefix allowed_sync_hosts node_timeout conn_timeout allow_versions`,
    withServer(containerServerConf),
  ],
  [
    'app:object-server',
    `${STORAGE} log_requests auto_create_account_prefix expiring_objects_container_divisor node_timeout conn_timeout disk_chunk_size max_upload_time slow keep_cache_size keep_cache_private mb_per_sync allowed_headers`,
    withServer(objectServerOptions),
  ],
  [
    'app:proxy-server',
    `${SERVER} expiring_objects_container_divisor log_handoffs recheck_account_existence recheck_container_existence node_timeout client_timeout conn_timeout error_suppression_interval error_suppression_limit allow_account_management object_post_as_copy account_autocreate max_containers_per_account max_containers_whitelist deny_host_headers auto_create_account_prefix rate_limit_after_segment rate_limit_segments_per_sec`,
    withServer(proxyOptions),
  ],
  ['filter:recon', 'devices swift_dir mount_check recon_cache_path', reconOptions],
  ['account-replicator', `${DAEMON} ${DB_REPLICATOR}`, withProgram(conf => dbReplicatorOptions(conf, 1))],
  [
    'container-updater',
    `${DAEMON} interval concurrency node_timeout conn_timeout slowdown account_suppression_time recon_cache_path`,
    withProgram(containerUpdaterOptions),
  ],
  [
    'container-sync',
    `${DAEMON} sync_proxy interval container_time allowed_sync_hosts`,
    withProgram(syncOptions),
  ],
  [
    'account-reaper',
    `${DAEMON} concurrency interval node_timeout conn_timeout delay_reaping`,
    withProgram(reaperOptions),
  ],
  [
    'object-replicator',
    `${DAEMON} vm_test_mode run_pause concurrency stats_interval rsync_timeout rsync_io_timeout http_timeout reclaim_age recon_cache_path`,
    withProgram(replicatorOptions),
  ],
  [
    'object-updater',
    `${DAEMON} interval concurrency node_timeout conn_timeout slowdown recon_cache_path`,
    withProgram(updaterOptions),
  ],
  [
    'object-auditor',
    `${DAEMON} files_per_second bytes_per_second log_time zero_byte_files_per_second recon_cache_path`,
    withProgram(auditorOptions),
  ],
  [
    'object-expirer',
    `${DAEMON} interval auto_create_account_prefix report_interval`,
    withProgram(expirerOptions),
  ],
  [
    'dispersion',
    'auth_url auth_user auth_key auth_version swift_dir dispersion_coverage retries concurrency dump_json',
    dispersionOptions,
  ],
  [
    'bench',
    'auth user key auth_version timeout put_concurrency get_concurrency del_concurrency concurrency object_sources lower_object_size upper_object_size object_size num_objects num_gets num_containers container_name delete use_proxy url account devices',
    conf => benchOptions(conf, seededRandom(1)),
  ],
];

it.each(PROGRAMS)('[%s] knows every option of the sample files', async (_section, options, read) => {
  const { conf, asked } = noting({
    swift_dir: swiftDir,
    auth_url: 'http://x/',
    log_statsd_host: '127.0.0.1',
    db_preallocation: 'yes',
  });
  await read(conf);
  expect(options.split(' ').filter(option => !asked.has(option))).toEqual([]);
});

const MIDDLEWARE: [filter: string, options: string][] = [
  ['tempauth', 'reseller_prefix auth_prefix token_life allowed_sync_hosts allow_overrides (all)'],
  ['keystoneauth', 'operator_roles is_admin reseller_prefix reseller_admin_role allow_overrides'],
  ['memcache', 'memcache_servers memcache_serialization_support'],
  [
    'ratelimit',
    'clock_accuracy max_sleep_time_seconds log_sleep_time_seconds rate_buffer_seconds account_ratelimit account_whitelist account_blacklist',
  ],
  ['domain_remap', 'storage_domain path_root reseller_prefixes'],
  ['cname_lookup', 'storage_domain lookup_depth'],
  ['staticweb', 'cache_timeout'],
  [
    'tempurl',
    'incoming_remove_headers incoming_allow_headers outgoing_remove_headers outgoing_allow_headers',
  ],
  ['name_check', 'forbidden_chars maximum_length forbidden_regexp'],
  [
    'proxy_logging',
    'access_log_name access_log_facility access_log_level access_log_address access_log_udp_host access_log_udp_port access_log_statsd_host access_log_statsd_port access_log_statsd_default_sample_rate access_log_statsd_metric_prefix access_log_headers log_headers log_statsd_valid_http_methods',
  ],
];

it.each(MIDDLEWARE)('[filter:%s] knows every option of the sample file', (name, options) => {
  const { conf: section, asked } = noting({
    use: `egg:swift#${name}`,
    user_a_b: 'key',
    log_statsd_host: '127.0.0.1',
  });
  const conf: SwiftConf = {
    path: 'proxy-server.conf',
    sections: ['filter:it'],
    hasSection: () => true,
    section: () => section,
    pipeline: ['it', 'app'],
  };
  const stopping: (() => void)[] = [];
  const tools: Tools = {
    world: { clock: systemClock, random: seededRandom(1), log: silentLogger },
    log: silentLogger,
    cache: null,
    validator: null,
    swiftDir,
    resolveCname: async () => null,
    onStop: work => void stopping.push(work),
  };
  buildPipeline(conf, async () => ({ status: 200, headers: new Map(), body: null }), tools);
  for (const work of stopping) work();
  expect(options.split(' ').filter(option => !asked.has(option))).toEqual([]);
});
