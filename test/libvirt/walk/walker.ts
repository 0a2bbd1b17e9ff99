/**
 * Walks through a cloud from where its host stands: `node walker.ts '{"dir": ..., "seed": ..., "servers": ..., "seconds": ...}'`.
 * Prints what it does, and as its last line the counts and what was wrong, as JSON.
 */
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { must, seededRandom } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { ask } from '../../torture/clients.ts';
import { openSsh } from './network-operations.ts';
import { walk } from './walk.ts';
import { asking, type World } from './world.ts';

export interface WalkerOptions {
  /** State directory of the cloud. */
  dir: string;
  /** An address of the host that is none of the guests' network. */
  outside: string;
  seed: number;
  servers: number;
  reboots: number;
  asks: 'always' | 'seldom';
  seconds?: number;
}

interface Access {
  access: {
    token: { id: string; tenant: { id: string } };
    serviceCatalog: { type: string; endpoints: { publicURL: string }[] }[];
  };
}

async function login(dir: string, file: string) {
  const text = await readFile(join(dir, file), 'utf8');
  const variable = (name: string) =>
    must(new RegExp(`^export ${name}='?(.*?)'?$`, 'm').exec(text)?.[1], `${file} has ${name}`);
  const answer = await ask(`${variable('OS_AUTH_URL')}/tokens`, '', {
    method: 'POST',
    body: {
      auth: {
        tenantName: variable('OS_TENANT_NAME'),
        passwordCredentials: { username: variable('OS_USERNAME'), password: variable('OS_PASSWORD') },
      },
    },
  });
  if (answer.status !== 200) throw new Error(`login: ${answer.status} ${answer.bytes}`);
  const { token, serviceCatalog } = (answer.json as Access).access;
  const at = (type: string) =>
    must(serviceCatalog.find(one => one.type === type)?.endpoints[0]?.publicURL, `there is ${type}`);
  return { token: token.id, tenantId: token.tenant.id, compute: at('compute'), image: at('image') };
}

/** Small, and one with a disk that grows; each with those it is resized to. */
const FLAVORS = [
  { id: '101', name: 'walk.nano', ram: 128, disk: 0, to: ['102', '103'] },
  { id: '102', name: 'walk.micro', ram: 144, disk: 0, to: ['101', '103'] },
  { id: '103', name: 'walk.disk', ram: 136, disk: 1, to: ['104'] },
  { id: '104', name: 'walk.disk-more', ram: 152, disk: 1, to: ['103'] },
];

async function begin(options: WalkerOptions): Promise<World> {
  const { dir } = options;
  const admin = await login(dir, 'openrc');
  const user = await login(dir, 'openrc-demo');
  const asAdmin = asking(admin.compute, admin.token);
  for (const { to: _to, ...flavor } of FLAVORS)
    await asAdmin('POST', '/flavors', {
      flavor: { ...flavor, vcpus: 1, swap: 0, rxtx_factor: 1, 'OS-FLV-EXT-DATA:ephemeral': 0 },
    });
  const compute = asking(user.compute, user.token);
  const { keypair } = await compute<{ keypair: { private_key: string } }>('POST', '/os-keypairs', {
    keypair: { name: 'walk' },
  });
  const key = join(dir, 'walk.pem');
  await writeFile(key, keypair.private_key);
  await chmod(key, 0o600);
  const { security_group: group } = await compute<{ security_group: { id: number } }>(
    'POST',
    '/os-security-groups',
    { security_group: { name: 'walk', description: 'ssh' } },
  );
  await openSsh({ compute, groupId: group.id });
  const { images } = await compute<{ images: { id: string; name: string }[] }>('GET', '/images');
  const named = (name: string) =>
    must(
      images.find(image => image.name === name),
      'the cloud has it',
    ).id;
  const db = await openDatabase({ connection: `sqlite:///${join(dir, 'db', 'nova.sqlite')}` });
  const host = await db.knex('services').where({ topic: 'compute' }).first('host');
  const glance = user.image.replace(/\/v\d.*$/, '');
  return {
    db,
    random: seededRandom(options.seed + 1),
    dir,
    outside: options.outside,
    hostName: must(host, 'it has a compute host').host,
    tenantId: user.tenantId,
    key,
    groupId: group.id,
    resizes: new Map(FLAVORS.map(({ id, to }) => [id, to])),
    large: new Set(FLAVORS.filter(({ disk }) => disk > 0).map(({ id }) => id)),
    images: { disk: named('guest'), parts: named('guest-ami') },
    compute,
    image: (method, path) => ask(`${glance}/v1${path}`, user.token, { method }),
    servers: [],
    volumes: [],
    named: 0,
    reboots: options.reboots,
    snapshots: [],
  };
}

const options = JSON.parse(process.argv[2] ?? '{}') as WalkerOptions;
const world = await begin(options);
const result = await walk(world, {
  servers: options.servers,
  order: seededRandom(options.seed),
  asks: options.asks,
  ...(options.seconds === undefined ? {} : { seconds: options.seconds }),
  report: line => console.log(line),
});
await world.db.close();
console.log(JSON.stringify(result));
