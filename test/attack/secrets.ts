import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { EC2_ACTIONS } from '@folsom/compute-api/reference';
import { type Random, seededRandom } from '@folsom/core';
import type { PortName } from '@folsom/deploy/folsom/layout';
import { type AttackedCloud, eachOf, loginOf, startAttackedCloud } from './cloud.ts';
import { EC2_PATH, type Ec2Keys, signedQuery } from './ec2-signing.ts';
import { keysOf } from './estate.ts';
import type { Part } from './part.ts';

/** Forms that secrets have here: tokens of both kinds, passwords, signatures. */
const FORMS: readonly ((random: Random) => string)[] = [
  random => random.hex(32),
  random => `eyJhbGciOiJFUzI1NiJ9.eyJ${random.hex(40)}.${random.hex(86)}`,
  random => `S3cret-${random.hex(16)}`,
  random => random.hex(40),
  random => `AUTH_tk${random.hex(32)}`,
];

const HEADERS = [
  'x-auth-token', 'x-storage-token', 'x-subject-token', 'x-service-token', 'authorization', 'proxy-authorization', 'cookie', 'x-auth-key', 'x-storage-pass',
  'x-csrf-token', 'x-container-sync-key', 'x-account-meta-temp-url-key', 'x-admin-token', 'x-auth-user-password', 'X-AUTH-TOKEN', 'x-instance-id-signature',
]; // biome-ignore format: a table
const QUERIES = [
  'token', 'tokenid', 'TOKEN', 'tok%65n', 'auth_token', 'x-auth-token', 'X%2DAuth%2DToken', 'temp_url_sig', 'temp%5Furl_sig', 'TEMP_URL_SIG', 'signature', 'Signature',
  'password', 'adminPass', 'secret', 'X-Storage-Token', 'access_token',
]; // biome-ignore format: a table
/** Where a token stands in a path: `{T}`. */
const PATHS = [
  '/v2.0/tokens/{T}', '/v2.0/tokens/{T}/endpoints', '/v2.0/tokens/{T}/x', '/v2%2e0/tokens/{T}', '/v2.0/%74okens/{T}', '/v3/auth/tokens/{T}', '/v2.0/Tokens/{T}', '//v2.0//tokens//{T}',
  'http://h/v2.0/tokens/{T}', 'http://u:p@h:1/v2.0/tokens/{T}', '/v2.0/tokens/{T}?belongsTo=x', '/v2.0/tokens/{T}/', '/v2.0/tokens%2FT', '/x/../v2.0/tokens/{T}', '/v2.0/OS-PKI/tokens/{T}',
  '/api/cloud/identity/v2.0/tokens/{T}', '/api/cloud/identity-admin/v2.0/tokens/{T}/endpoints', '/api/cloud/object-store/c/o?temp_url_sig={T}', '/api/session?token={T}',
  '/console?token={T}', '/vnc_auto.html?token={T}', '/websockify?token={T}',
]; // biome-ignore format: a table
const BODIES = [
  '{"auth": {"tenantName": "alice", "passwordCredentials": {"username": "alice", "password": "T"}}}', '{"auth": {"token": {"id": "T"}, "tenantName": "alice"}}',
  '{"auth": {"passwordCredentials": {"username": ["T"], "password": {"a": "T"}}}}', '{"auth": {"passwordCredentials": {"password": "T"', '{"user": {"password": "T", "original_password": "T"}}',
  '{"username": "alice", "password": "T"}', '{"username": "T", "password": ["T"]}', '{"server": {"name": "a", "adminPass": "T", "imageRef": "x", "flavorRef": "1"}}', '{"changePassword": {"adminPass": "T"}}', '{"rebuild": {"adminPass": "T", "imageRef": "x"}}', '{"rescue": {"adminPass": "T"}}',
  '{"ec2Credentials": {"access": "a", "secret": "T", "signature": "T", "host": "h", "verb": "GET", "path": "/", "params": {}}}', '{"credentials": {"token": "T", "signature": "T", "access": "a"}}',
  '<auth xmlns="http://docs.openstack.org/identity/api/v2.0" tenantName="alice"><passwordCredentials username="alice" password="T"/></auth>',
  '<server xmlns="http://docs.openstack.org/compute/api/v1.1" name="a" adminPass="T" imageRef="x" flavorRef="1"/>', '<auth password="T"',
]; // biome-ignore format: a table
const TARGETS: Partial<Record<PortName, readonly string[]>> = {
  identityPublic: ['/v2.0/tokens', '/v2.0/tenants', '/v2.0/OS-KSCRUD/users/x', '/v2.0/ec2tokens', '/nowhere'],
  identityAdmin: [
    '/v2.0/tokens',
    '/v2.0/users',
    '/v2.0/users/x/OS-KSADM/password',
    '/v2.0/s3tokens',
    '/nowhere',
  ],
  image: ['/v1/images', '/v2/images', '/nowhere'],
  imageRegistry: ['/images', '/nowhere'],
  compute: ['/v2/x/servers', '/v2/x/servers/x/action', '/nowhere'],
  volume: ['/v1/x/volumes', '/v1/x/snapshots/x', '/v1/x/types', '/nowhere'],
  ec2: ['/services/Cloud/', '/services/Cloud', '/services/Admin', '/nowhere'],
  objectstore: ['/', '/bucket', '/bucket/bundle.manifest.xml'],
  metadata: ['/latest/meta-data', '/openstack/latest/password'],
  novncproxy: ['/vnc_auto.html', '/websockify', '/healthz'],
  xvpvncproxy: ['/console'],
  objectProxy: ['/v1/AUTH_x', '/v1/AUTH_x/c/o', '/auth/v1.0', '/nowhere'],
  account: ['/d1/1/AUTH_x'],
  container: ['/d1/1/AUTH_x/c'],
  object: ['/d1/1/AUTH_x/c/o'],
  metrics: ['/metrics'],
  consoleWeb: [
    '/api/session',
    '/api/session/project',
    '/api/temp-urls',
    '/api/cloud/compute/servers',
    '/api/cloud/compute/servers/x/action',
    '/api/cloud/identity/v2.0/tokens',
    '/api/cloud/image/v1/images',
    '/api/cloud/object-store/c/o',
    '/api/screen/x',
    '/instances/x',
    '/nowhere',
  ],
};
/** Of a listener that nothing is known of yet. */
const ANYWHERE = ['/', '/v1/x', '/nowhere'];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH'];

/** Parameters whose value is an image's id or its name, by which it is looked for: no place for a secret. */
const NAMES_OF_IMAGES = new Set(['ImageId', 'KernelId', 'RamdiskId']);

/** A signed request of EC2 with a secret in one of its parameters, or in the place of its signature. */
async function plantSigned(
  cloud: AttackedCloud,
  random: Random,
  keys: Ec2Keys,
  secret: string,
): Promise<void> {
  const { name, parameters } = EC2_ACTIONS[random.int(EC2_ACTIONS.length)]!;
  const names = [
    ...Object.keys(parameters).filter(one => !NAMES_OF_IMAGES.has(one)),
    'SecurityToken',
    'Owner',
  ];
  const chosen = names[random.int(names.length)]!;
  const place = [chosen, `${chosen}.1`, `${chosen}.1.Value.1`][random.int(3)]!;
  const method = ['GET', 'POST'][random.int(2)]!;
  let query = signedQuery(keys, { Action: name, [place]: secret }, { method });
  if (random.int(4) === 0) query = query.replace(/(&Signature=).*/, `$1${secret}`);
  if (method === 'GET') return void (await cloud.ask('ec2', method, `${EC2_PATH}?${query}`));
  const headers = { 'content-type': 'application/x-www-form-urlencoded' };
  await cloud.ask('ec2', method, EC2_PATH, { headers, body: query });
}

/** Sends a request with a secret in one place; who gets in must not matter. */
async function plant(cloud: AttackedCloud, random: Random, n: number, secret: string): Promise<void> {
  const pick = <T>(items: readonly T[]): T => items[random.int(items.length)]!;
  const to = pick(Object.keys(cloud.ports) as PortName[]);
  const target = pick(TARGETS[to] ?? ANYWHERE);
  const login = pick([{}, loginOf(to, cloud.alice), loginOf(to, cloud.admin)]);
  const method = pick(METHODS);
  const place = n % 4;
  const asked: { target: string; headers: Record<string, string>; body?: string } =
    place === 0
      ? { target, headers: { [pick(HEADERS)]: pick(['', 'Bearer ', 'AWS a:', 'token=']) + secret } }
      : place === 1
        ? {
            target: `${target}?${pick(['', 'a=b&', 'temp_url_expires=9999999999&'])}${pick(QUERIES)}=${secret}`,
            headers: { referer: `http://h${target}?token=${secret}` },
          }
        : place === 2
          ? { target: pick(PATHS).replace('{T}', secret), headers: {} }
          : { target, headers: {}, body: pick(BODIES).replaceAll('T"', `${secret}"`) };
  const xml = asked.body?.startsWith('<');
  await cloud
    .ask(to, place === 3 && method !== 'PUT' ? 'POST' : method, asked.target, {
      ...('x-auth-token' in asked.headers ? {} : login),
      ...asked,
      headers: {
        ...login.headers,
        ...asked.headers,
        ...(asked.body !== undefined ? { 'content-type': xml ? 'application/xml' : 'application/json' } : {}),
      },
    })
    // xvpvncproxy speaks just enough HTTP for its viewer.
    .catch(error => {
      if (to !== 'xvpvncproxy') throw error;
    });
}

/** Files that others of this machine can read. */
function readable(dir: string): string[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap(entry => {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) return readable(path);
    if (!entry.isFile()) return [];
    const { mode, size } = statSync(path);
    return (mode & 0o004) !== 0 && size < 20_000_000 ? [path] : [];
  });
}

/**
 * Marked secrets in every place that a request has for one, on every port, rightly and wrongly. Then everything is read: the
 * log at debug level, what others are answered, and the files that others of the machine can read.
 */
export const part: Part = {
  name: 'secrets',
  share: 9,
  async run({ seed, count, report }) {
    const random = seededRandom(seed);
    const cloud = await startAttackedCloud();
    const secrets = new Map<string, number>();
    const problems: string[] = [];
    let lines = 0;
    const read = (what: string, text: string) => {
      for (const found of text.matchAll(/S3cret-[0-9a-f]{16}|[0-9a-f]{32,86}|AUTH_tk[0-9a-f]{32}/g)) {
        if (secrets.has(found[0]) || [...parts(found[0])].some(part => secrets.has(part)))
          problems.push(`${what}: secret ${secrets.get(found[0])}: ${text.slice(0, 400)}`);
      }
      for (const { token, console } of [cloud.admin, cloud.alice, cloud.bob]) {
        const session = console.cookie.split('=')[1]!;
        for (const secret of [token, session, console['x-csrf-token']])
          if (text.includes(secret)) problems.push(`${what}: a token: ${text.slice(0, 400)}`);
      }
    };
    const readLog = () => {
      for (const line of cloud.takeLog()) {
        lines += 1;
        read('log', line);
      }
    };
    try {
      const keys = await keysOf(cloud, cloud.alice);
      secrets.set(keys.secret, -1);
      await eachOf(Array.from({ length: count }).keys(), 8, async n => {
        const secret = FORMS[n % FORMS.length]!(random);
        // Of a signed one any part is enough.
        for (const piece of secret.split('.')) secrets.set(piece.replace(/^eyJ/, ''), n);
        if (n % 8 === 0) await plantSigned(cloud, random, keys, secret);
        else await plant(cloud, random, n, secret);
        if (n % 100 === 0) readLog();
      });
      const others = [
        await cloud.ask('compute', 'GET', `/v2/${cloud.bob.tenant}/servers/detail`, {
          token: cloud.bob.token,
        }),
        await cloud.ask('image', 'GET', '/v2/images', { token: cloud.bob.token }),
        await cloud.ask('identityPublic', 'GET', '/v2.0/tenants', { token: cloud.bob.token }),
        await cloud.ask('metrics', 'GET', '/metrics'),
      ];
      for (const { text } of others) read('an answer to another', text);
      // Lines arrive in batches.
      await new Promise(resolve => setTimeout(resolve, 1_500));
      readLog();
      if (lines < count / 4) problems.push(`only ${lines} lines in the log`);
      for (const path of readable(cloud.dir))
        read(`a file that everybody may read, ${path}`, readFileSync(path, 'latin1'));
      if (problems.length > 0)
        throw new Error(`seed ${seed}, ${problems.length} problems:\n${problems.slice(0, 30).join('\n')}`);
      report(`secrets: ${count} secrets planted, ${lines} lines read, seed ${seed}`);
      return count;
    } finally {
      await cloud.stop();
    }
  },
};

/** A run of digits may be a part of a longer one. */
function* parts(text: string): Generator<string> {
  for (const length of [32, 40, 86])
    for (let at = 0; at + length <= text.length; at++) yield text.slice(at, at + length);
}
