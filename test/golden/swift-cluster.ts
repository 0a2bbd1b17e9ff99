import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { staticValidator, type TokenInfo, type TokenValidator } from '@folsom/auth';
import type { RunningService, World } from '@folsom/core';
import { startObjectStorage } from '@folsom/deploy/object-storage';
import { memoryCache } from '@folsom/memcache';
import { startProxy } from '@folsom/object-proxy';
import { openRing } from '@folsom/ring';
import { hashPathSuffix, parseConf, pathHash, readConf } from '@folsom/swift';

/**
 * The cluster that the recordings were made on: four devices in four zones, three replicas, and three proxies
 * (keystone, tempauth with every middleware, tempauth as in the sample configuration).
 */
export interface SwiftCluster {
  /** Recorded port → port here. */
  ports: Map<number, number>;
  /** `operation: status` of what operations have answered without declaring it. */
  undeclared: ReadonlySet<string>;
  stop(): Promise<void>;
}

const FILTERS = `
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:healthcheck]
use = egg:swift#healthcheck
[filter:cache]
use = egg:swift#memcache
[filter:ratelimit]
use = egg:swift#ratelimit
[filter:tempauth]
use = egg:swift#tempauth
user_admin_admin = admin .admin .reseller_admin
user_test_tester = testing .admin
user_test2_tester2 = testing2 .admin
user_test_tester3 = testing3
[filter:authtoken]
paste.filter_factory = keystone.middleware.auth_token:filter_factory
delay_auth_decision = 1
[filter:keystoneauth]
use = egg:swift#keystoneauth
operator_roles = admin, swiftoperator
[filter:tempurl]
use = egg:swift#tempurl
[filter:formpost]
use = egg:swift#formpost
[filter:staticweb]
use = egg:swift#staticweb
[filter:domain_remap]
use = egg:swift#domain_remap
[filter:name_check]
use = egg:swift#name_check
[filter:proxy-logging]
use = egg:swift#proxy_logging
[app:proxy-server]
use = egg:swift#proxy
allow_account_management = true
account_autocreate = true
`;

const conf = (port: number, pipeline: string): string =>
  `[DEFAULT]\nbind_port = ${port}\n[pipeline:main]\npipeline = ${pipeline} proxy-server\n${FILTERS}`;

const PIPELINES = {
  8080: 'catch_errors healthcheck cache tempurl authtoken keystoneauth proxy-logging',
  8081: 'catch_errors healthcheck cache name_check domain_remap ratelimit tempurl formpost tempauth staticweb proxy-logging',
  8082: 'catch_errors healthcheck cache ratelimit tempauth proxy-logging',
};

export async function startSwiftCluster(options: {
  stateDir: string;
  world: World;
  /** Ports are taken from here on. */
  basePort: number;
  /** Folder of recordings, for the logins among them. */
  recordings: string;
}): Promise<SwiftCluster> {
  const { world, basePort, stateDir } = options;
  const host = '127.0.0.1';
  const recorded = [8080, 8081, 8082, 6000, 6001, 6002, 5000];
  const ports = new Map(recorded.map((port, index) => [port, basePort + index]));
  const port = (of: number): number => ports.get(of)!;
  const started: Pick<RunningService, 'stop'>[] = [];
  const keystone = await startKeystoneDouble(port(5000), options.recordings, world);
  ports.set(35357, port(5000));
  started.push(keystone);
  // The recorded proxies shared a memcached.
  const cache = memoryCache(world);
  mkdirSync(join(stateDir, 'etc'), { recursive: true });
  writeFileSync(
    join(stateDir, 'etc', 'container-server.conf'),
    '[app:container-server]\nallowed_sync_hosts = 127.0.0.1\n',
  );
  const storage = await startObjectStorage({
    stateDir,
    devices: 4,
    replicas: 3,
    host,
    ports: { proxy: port(8081), account: port(6002), container: port(6001), object: port(6000) },
    validator: null,
    world,
    daemons: false,
    cache,
    proxyConf: conf(port(8081), PIPELINES[8081]),
  });
  started.push(storage);
  const rings = {
    account: openRing({ path: join(storage.swiftDir, 'account.ring.gz'), clock: world.clock }),
    container: openRing({ path: join(storage.swiftDir, 'container.ring.gz'), clock: world.clock }),
    object: openRing({ path: join(storage.swiftDir, 'object.ring.gz'), clock: world.clock }),
  };
  const undeclared = new Set<string>();
  for (const number of [8080, 8082] as const) {
    started.push(
      await startProxy({
        conf: parseConf(conf(port(number), PIPELINES[number])),
        rings,
        pathHash: pathHash(hashPathSuffix(readConf(join(storage.swiftDir, 'swift.conf')))),
        world,
        host,
        port: port(number),
        swiftDir: storage.swiftDir,
        cache,
        validator: keystone.validator,
        undeclared: (operation, status) => undeclared.add(`${operation}: ${status}`),
      }),
    );
  }
  return {
    ports,
    undeclared,
    stop: async () => {
      for (const service of started.reverse()) await service.stop();
    },
  };
}

interface RecordedExchange {
  request: { port: number; method: string; path: string; body?: string };
  response: { status: number; headers: [string, string][]; body?: string };
}

/**
 * Just enough of keystone for the recordings: the logins in them get their recorded answers with new tokens, users
 * and roles can be made, and the tokens given out can be validated.
 */
async function startKeystoneDouble(port: number, recordings: string, world: World) {
  const tokens: Record<string, Partial<TokenInfo>> = {};
  const logins = new Map<string, RecordedExchange['response']>();
  for (const file of readdirSync(recordings).filter(name => /keystone/.test(name))) {
    const { exchanges } = JSON.parse(readFileSync(join(recordings, file), 'utf8')) as {
      exchanges: RecordedExchange[];
    };
    for (const { request, response } of exchanges) {
      if (request.port === 5000 && request.method === 'POST')
        logins.set(loginOf(request.body ?? ''), response);
    }
  }
  const tenantIds: Record<string, string> = {};
  for (const { body } of logins.values()) {
    const tenant = /"tenant": \{[^}]*"name": "(\w+)", "id": "(\w+)"/.exec(body ?? '');
    if (tenant) tenantIds[tenant[1]!] = tenant[2]!;
  }
  const give = (user: string, tenant: string): string => {
    const id = world.random.hex(32);
    tokens[id] = {
      userName: user,
      tenantName: tenant,
      tenantId: tenantIds[tenant] ?? 'c5e7cb46faae432ca89a4b426ebd7e26',
      roles:
        user === 'plain'
          ? ['Member']
          : user === 'admin'
            ? ['admin', 'KeystoneAdmin']
            : ['Member', 'swiftoperator'],
    };
    return id;
  };
  const server = http.createServer((request, response) => {
    let text = '';
    request.on('data', chunk => {
      text += chunk;
    });
    request.on('end', () => {
      const reply = (status: number, body: string): void => {
        response.writeHead(status, {
          Vary: 'X-Auth-Token',
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(body),
        });
        response.end(body);
      };
      if (request.url === '/v2.0/users')
        return reply(200, JSON.stringify({ user: { id: world.random.hex(32) } }));
      if (request.url === '/v2.0/OS-KSADM/roles')
        return reply(200, JSON.stringify({ roles: [{ name: 'Member', id: world.random.hex(32) }] }));
      if (request.method === 'PUT') return reply(200, '{}');
      const known = logins.get(loginOf(text));
      const { auth } = JSON.parse(text) as {
        auth: { tenantName?: string; passwordCredentials: { username: string } };
      };
      if (known && known.status !== 200) return reply(known.status, known.body ?? '');
      const expires = `${new Date(world.clock.now() + 86_400_000).toISOString().slice(0, 19)}Z`;
      const id = give(auth.passwordCredentials.username, auth.tenantName ?? 'demo');
      if (!known) return reply(200, JSON.stringify({ access: { token: { id, expires } } }));
      const body = (known.body ?? '').replace(
        /"expires": "[^"]*", "id": "\w+"/,
        `"expires": "${expires}", "id": "${id}"`,
      );
      return reply(known.status, body.replace(/127\.0\.0\.1:8080/g, `127.0.0.1:${port - 6}`));
    });
  });
  await new Promise<void>(resolve => server.listen(port, '127.0.0.1', resolve));
  const validator: TokenValidator = { validate: token => staticValidator(tokens).validate(token) };
  return {
    validator,
    stop: () =>
      new Promise<void>(resolve => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Who logs in where, whatever the order of the keys. */
function loginOf(body: string): string {
  try {
    const { auth } = JSON.parse(body) as {
      auth: { tenantName?: string; passwordCredentials?: { username: string; password: string } };
    };
    return `${auth.tenantName} ${auth.passwordCredentials?.username} ${auth.passwordCredentials?.password}`;
  } catch {
    return '';
  }
}
