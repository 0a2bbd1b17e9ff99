import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { offlineValidator, revocationList, signedTokenReader, signToken } from '@folsom/auth';
import { systemClock } from '@folsom/core';
import { crypt } from '@folsom/host/crypt';
import { freePorts, runProgram, startMariaDb, startProgram, tempDir } from '@folsom/testing';
import { type LoadRequest, type LoadResult, load } from './object/load.ts';
import type { Bench } from './run.ts';

const SECONDS = 3;
const CONNECTIONS = 16;
/** Enough for first logins to outlast the service's warming up. */
const USERS = 160;
const ADMIN_TOKEN = 'bench-admin-token';

const row = (what: string, result: Rate & Partial<LoadResult>): string => {
  const { perSecond, median, slowest99, perCore } = result;
  const times = median === undefined ? '' : `  p50 ${median.toFixed(2)} ms  p99 ${slowest99!.toFixed(2)} ms`;
  return `${what.padEnd(50)} ${perSecond.toFixed(0).padStart(6)}/s${times}  ${perCore.toFixed(0)} per processor second`;
};

/** Processor time a process has used, in seconds (clock ticks of 10 ms). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Keeps connections busy with requests that must all be answered with 200. */
async function busy(
  at: { port: number; pid: number },
  connections: number,
  next: (n: number) => LoadRequest,
  count = Infinity,
): Promise<LoadResult & { perCore: number }> {
  const before = cpuSeconds(at.pid);
  const result = await load({
    host: '127.0.0.1',
    port: at.port,
    connections,
    seconds: SECONDS,
    next: n => (n < count ? next(n) : null),
  });
  const bad = Object.keys(result.statuses).filter(status => status !== '200');
  if (bad.length > 0) throw new Error(`answers with status ${bad.join(', ')}`);
  // On a machine that does other things, too, this is the figure that counts.
  return { ...result, perCore: result.count / (cpuSeconds(at.pid) - before) };
}

/** Token issue and validation by format. The original on two cores: 30 issued/s, 50 validated/s. */
export const bench: Bench = async print => {
  const libcrypt = await libcryptAlone();
  print(
    `reference: libcrypt, 40000 rounds: ${libcrypt.one.toFixed(1)} ms each, ${row('', libcrypt.all).trim()}`,
  );
  await offline(print);
  for (const format of ['UUID', 'JWT', 'PKI']) await overHttp(format, null, libcrypt.all, print);
  const server = await startMariaDb().catch(() => undefined);
  if (!server) return print('MariaDB is not installed: SQLite only');
  try {
    for (const format of ['UUID', 'JWT']) {
      await overHttp(format, await server.createDatabase(`keystone_${format}`), libcrypt.all, print);
    }
  } finally {
    await server.stop();
  }
};

interface Rate {
  perSecond: number;
  perCore: number;
}

/** What logins can at best be bound by: one hash alone, and as many as the processors give. */
async function libcryptAlone(): Promise<{ one: number; all: Rate }> {
  const setting = '$6$rounds=40000$abcdefghijklmnop';
  const singles: number[] = [];
  for (let i = 0; i < 5; i++) {
    const start = performance.now();
    await crypt('secrete', setting);
    singles.push(performance.now() - start);
  }
  const count = 60;
  const before = process.cpuUsage();
  const start = performance.now();
  await Promise.all(Array.from({ length: count }, () => crypt('secrete', setting)));
  const { user, system } = process.cpuUsage(before);
  const all = {
    perSecond: (count * 1000) / (performance.now() - start),
    perCore: (count * 1e6) / (user + system),
  };
  return { one: Math.min(...singles), all };
}

async function offline(print: (line: string) => void): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const now = systemClock.now();
  const make = (key: string) =>
    signToken(
      {
        key,
        userId: 'c4bd5d0f436a4c9a88734fbb1f1f2261',
        userName: 'demo',
        tenantId: 'e6bdd7b4249e493c96ad7d260e2c4f5f',
        tenantName: 'demo',
        roles: ['Member', 'swiftoperator'],
        issuedAt: now,
        expiresAt: now + 86_400_000,
      },
      { kid: 'k', privateKey },
    );
  const revocations = revocationList(systemClock);
  revocations.add(
    Array.from({ length: 10_000 }, (_, i) => ({
      kind: 'token' as const,
      subject: String(i),
      issuedBefore: 0,
      revokedAt: now,
      expires: now + 86_400_000,
    })),
  );
  const validator = offlineValidator({
    reader: signedTokenReader({ publicKey: () => publicKey }),
    revocations,
    clock: systemClock,
    catalog: async () => [],
  });
  const tokens = Array.from({ length: 1000 }, (_, i) => make(`key-${i}`));
  // Processor time: a machine that does other things, too, lets the clock run on.
  const round = async (some: readonly string[]) => {
    const before = process.cpuUsage();
    for (const token of some) if ((await validator.validate(token)) === null) throw new Error('not valid');
    const { user, system } = process.cpuUsage(before);
    return (user + system) / some.length;
  };
  await round(Array.from({ length: 500 }, (_, i) => make(`warming-up-${i}`)));
  const first = await round(tokens);
  await round(tokens);
  const again = await round(tokens);
  const bytes = Buffer.from(tokens[0]!);
  const key = { key: publicKey, dsaEncoding: 'ieee-p1363' } as const;
  const signature = sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const bare = process.cpuUsage();
  for (let i = 0; i < 1000; i++) verify('sha256', bytes, key, signature);
  print(`reference: ES256 verification alone ${(process.cpuUsage(bare).user / 1000).toFixed(1)} µs`);
  print(
    `offline validation, 10,000 revocations known: first time ${first.toFixed(1)} µs, then ${again.toFixed(1)} µs (aim: < 100); a token has ${tokens[0]!.length} characters`,
  );
}

const keystoneConf = ({
  dir,
  publicPort,
  adminPort,
  format,
  connection,
}: {
  dir: string;
  publicPort: number;
  adminPort: number;
  format: string;
  connection: string | null;
}) => `[DEFAULT]
bind_host = 127.0.0.1
public_port = ${publicPort}
admin_port = ${adminPort}
admin_token = ${ADMIN_TOKEN}
[sql]
connection = ${connection ?? `sqlite:///${dir}/keystone.db`}
[signing]
token_format = ${format}
certfile = ${dir}/certs/signing_cert.pem
keyfile = ${dir}/private/signing_key.pem
ca_certs = ${dir}/certs/ca.pem
jwt_key_dir = ${dir}/keys
`;

/** A keystone of its own, as a program; `connection` null is SQLite. */
async function overHttp(
  format: string,
  connection: string | null,
  libcrypt: Rate,
  print: (line: string) => void,
): Promise<void> {
  const dir = tempDir('bench-identity');
  const [publicPort, adminPort] = (await freePorts(2)) as [number, number];
  const conf = join(dir.path, 'keystone.conf');
  writeFileSync(conf, keystoneConf({ dir: dir.path, publicPort, adminPort, format, connection }));
  for (const command of ['db_sync', 'pki_setup'])
    await runProgram('keystone-manage', ['--config-file', conf, command]);
  const started = performance.now();
  const service = await startProgram('keystone-all', ['--config-file', conf], {
    logFile: join(dir.path, 'log'),
    ports: [
      { host: '127.0.0.1', port: publicPort },
      { host: '127.0.0.1', port: adminPort },
    ],
  });
  const readyMs = performance.now() - started;
  const residentMb = () =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${service.pid}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  const idleMb = residentMb();
  const open = { port: publicPort, pid: service.pid };
  const admin = { port: adminPort, pid: service.pid };
  const call = async (method: 'POST' | 'PUT', path: string, body?: unknown) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/v2.0${path}`, {
      method,
      headers: { 'x-auth-token': ADMIN_TOKEN, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return (await answer.json()) as Record<string, { id: string }>;
  };
  try {
    const nova = (
      await call('POST', '/OS-KSADM/services', { 'OS-KSADM:service': { name: 'nova', type: 'compute' } })
    )['OS-KSADM:service']!;
    const url = 'http://127.0.0.1:8774/v2/$(tenant_id)s';
    await call('POST', '/endpoints', {
      endpoint: { region: 'r', service_id: nova.id, publicurl: url, internalurl: url, adminurl: url },
    });
    const tenant = (await call('POST', '/tenants', { tenant: { name: 'demo' } })).tenant!;
    const role = (await call('POST', '/OS-KSADM/roles', { role: { name: 'Member' } })).role!;
    const newUser = async (i: number) => {
      const user = (await call('POST', '/users', { user: { name: `u${i}`, password: 'secrete' } })).user!;
      await call('PUT', `/tenants/${tenant.id}/users/${user.id}/roles/OS-KSADM/${role.id}`);
    };
    await Promise.all(Array.from({ length: USERS }, (_, i) => newUser(i)));
    const login = (n: number): LoadRequest => ({
      method: 'POST',
      path: '/v2.0/tokens',
      headers: { 'content-type': 'application/json' },
      body: Buffer.from(
        JSON.stringify({
          auth: {
            passwordCredentials: { username: `u${n % USERS}`, password: 'secrete' },
            tenantName: 'demo',
          },
        }),
      ),
    });
    const first = await busy(open, CONNECTIONS, login, USERS);
    print(
      `${format} on ${connection === null ? 'SQLite' : 'MariaDB'}: ready in ${readyMs.toFixed(0)} ms with ${idleMb.toFixed(0)} MB`,
    );
    print(
      `${row('  first logins', first)} (libcrypt alone: ${libcrypt.perSecond.toFixed(0)}/s, ${libcrypt.perCore.toFixed(0)})`,
    );
    print(row('  repeated logins (aim: > 1,000/s)', await busy(open, CONNECTIONS, login)));
    const answer = await fetch(`http://127.0.0.1:${publicPort}/v2.0/tokens`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: String(login(0).body),
    });
    const token = ((await answer.json()) as { access: { token: { id: string } } }).access.token.id;
    const validate = (): LoadRequest => ({
      method: 'GET',
      path: `/v2.0/tokens/${encodeURIComponent(token)}`,
      headers: { 'x-auth-token': ADMIN_TOKEN },
    });
    print(row('  validations, 16 connections (aim: > 5,000/s)', await busy(admin, CONNECTIONS, validate)));
    print(row('  validations, 1 connection', await busy(admin, 1, validate)));
    print(`  memory after the load: ${residentMb().toFixed(0)} MB`);
  } finally {
    await service.stop();
    dir.remove();
  }
}
