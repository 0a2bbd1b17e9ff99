import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  eventually,
  freePorts,
  type MariaDb,
  programFile,
  type RabbitServer,
  type RedisServer,
  type RunningProgram,
  runProgram,
  serverMissing,
  startMariaDb,
  startProgram,
  startRabbit,
  startRedis,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** The catalog's address in the test; nothing listens there. */
const HOST_IP = '192.0.2.7';

interface Service {
  image?: string;
  build?: { dockerfile: string; target: string };
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
  ports?: string[];
  volumes?: string[];
  network_mode?: string;
}

const compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), {
  merge: true,
  maxAliasCount: -1,
}) as {
  services: Record<string, Service>;
};
const ours = Object.entries(compose.services).filter(([, service]) => service.build);

/** Every port that a container listens on. */
const PORTS = '5000 35357 9292 9191 8773 8774 8775 8776 6080 6081 8080 6002 6001 6000'.split(' ');

interface Access {
  token: { id: string; tenant: { id: string } };
  serviceCatalog: { type: string; endpoints: { publicURL: string }[] }[];
}

/** The administrator's token and catalogue. */
async function logIn(url: string): Promise<Access> {
  const login = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        tenantName: 'admin',
        passwordCredentials: { username: 'admin', password: 'compose-test' },
      },
    }),
  });
  return ((await login.json()) as { access: Access }).access;
}

describe('docker-compose.yml', () => {
  it('builds every service of ours from a target the Dockerfile has, with a command that exists', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'deploy', 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    expect(ours.length).toBeGreaterThan(10);
    for (const [name, service] of ours) {
      const dockerfile = await readFile(join(ROOT, service.build!.dockerfile), 'utf8');
      expect(dockerfile, name).toMatch(new RegExp(`^FROM \\w+ AS ${service.build!.target}$`, 'm'));
      const [program, script] = service.command!;
      if (program === 'node') expect(existsSync(join(ROOT, script!)), `${name}: ${script}`).toBe(true);
      else expect(Object.keys(manifest.bin), name).toContain(program);
      for (const needed of Object.keys(service.depends_on ?? {})) {
        expect(Object.keys(compose.services), `${name} waits for ${needed}`).toContain(needed);
      }
    }
  });

  it('keeps secrets out of what images are built from', async () => {
    const ignored = (await readFile(join(ROOT, '.dockerignore'), 'utf8')).split('\n');
    // What configure.mjs writes by itself, and what `npm start` does.
    for (const path of ['.env', 'deploy/containers/etc', 'var', '**/secrets.json', '**/openrc'])
      expect(ignored, path).toContain(path);
    expect(ignored.filter(line => line.startsWith('!'))).toEqual([]);
  });

  it('keeps queues, and takes guests to the metadata service without a translation of addresses', () => {
    expect(compose.services.rabbitmq?.volumes).toContain('rabbitmq:/var/lib/rabbitmq');
    expect(compose.services['nova-api-metadata']?.network_mode).toBe('host');
    expect(compose.services['nova-api']?.ports).toEqual(['8773:8773', '8774:8774', '8776:8776']);
  });

  it("gives guests to the host's libvirt, which finds their files where nova says they are", async () => {
    for (const name of ['nova-compute', 'nova-network', 'nova-volume']) {
      const { volumes = [], network_mode } = compose.services[name]!;
      expect(network_mode, name).toBe('host');
      expect(volumes, name).toContain('/run/libvirt:/run/libvirt');
      const state = volumes.filter(volume => volume.split(':')[1]!.startsWith('/var/lib/folsom'));
      expect(state, name).toEqual(['/var/lib/folsom/nova:/var/lib/folsom/nova']);
    }
    const dockerfile = await readFile(join(ROOT, 'deploy', 'containers', 'Dockerfile'), 'utf8');
    const installed = [...dockerfile.matchAll(/apt-get install (.*)$/gm)].flatMap(([, words = '']) =>
      words.split(' '),
    );
    expect(installed).toContain('qemu-utils');
    // With a daemon at hand nova-compute would start one where the host's is away.
    expect(installed.filter(name => /^(libvirt-daemon|qemu-system)/.test(name))).toEqual([]);
  });

  it('checks the health of what others wait for', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        if (condition !== 'service_healthy') continue;
        expect(compose.services[needed]!.healthcheck, `${name} waits for ${needed}`).toBeDefined();
      }
    }
  });

  const missing = serverMissing('mariadb') || serverMissing('rabbit') || serverMissing('redis');
  describe.skipIf(missing)('its commands, against a MariaDB, a RabbitMQ and a Redis of our own', () => {
    let dir: string;
    let mariadb: MariaDb;
    let rabbit: RabbitServer;
    let redis: RedisServer;
    const programs: RunningProgram[] = [];
    /** The ports of the file, moved out of everybody's way. */
    const moved: Record<string, number> = {};

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'folsom-compose-'));
      [mariadb, rabbit, redis] = await Promise.all([startMariaDb(), startRabbit(), startRedis()]);
      await rabbit.ctl('add_user', 'folsom', 'compose-test');
      await rabbit.ctl('set_permissions', 'folsom', '.*', '.*', '.*');
      const free = await freePorts(PORTS.length);
      for (const [index, name] of PORTS.entries()) moved[name] = free[index]!;
      const settings: Record<string, string | number> = {
        password: 'compose-test',
        adminToken: 'compose-admin-token',
        state: dir,
        bind: '127.0.0.1',
        mysqlAddress: `127.0.0.1:${mariadb.port}`,
        hostIp: '127.0.0.1',
        rabbitHost: '127.0.0.1',
        rabbitPort: rabbit.port,
        keystone: '127.0.0.1',
        keystonePublicPort: moved['5000']!,
        keystoneAdminPort: moved['35357']!,
        glance: '127.0.0.1',
        glancePort: moved['9292']!,
        registry: '127.0.0.1',
        registryPort: moved['9191']!,
        ec2Port: moved['8773']!,
        computePort: moved['8774']!,
        volumePort: moved['8776']!,
        metadataPort: moved['8775']!,
        novncPort: moved['6080']!,
        xvpvncPort: moved['6081']!,
        swiftProxyPort: moved['8080']!,
        accountPort: moved['6002']!,
        containerPort: moved['6001']!,
        objectPort: moved['6000']!,
        redis: redis.url.replace(/^redis:\/\//, ''),
        computeDriver: 'fake.FakeDriver',
        fakeNetwork: 'True',
        host: 'compose',
      };
      await promisify(execFile)(process.execPath, [
        join(ROOT, 'deploy', 'containers', 'configure.mjs'),
        ...['--out', join(dir, 'etc'), '--env', join(dir, 'env')],
        ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
      ]);
      const server = new URL(mariadb.url(''));
      // As the service `databases` does it, and twice: it runs at every start.
      for (const _start of [1, 2])
        await promisify(execFile)(
          'mariadb',
          [
            ...['--no-defaults', '-h', '127.0.0.1', '-P', server.port, '-u', server.username],
            ...['-e', `source ${join(dir, 'etc', 'databases.sql')}`],
          ],
          { env: { ...process.env, MYSQL_PWD: server.password } },
        );
    });
    afterAll(async () => {
      await Promise.all(programs.map(program => program.stop()));
      await rabbit?.stop();
      await redis?.stop();
      await mariadb?.stop();
      await rm(dir, { recursive: true, force: true });
    });

    /** Words of a command with the places of a container replaced by the test's. */
    const wordsOf = (service: Service): string[] =>
      service.command!.map(word =>
        word
          .replace(/\b\d{4,5}\b/, port => String(moved[port] ?? port))
          .replace('/etc/folsom', join(dir, 'etc'))
          .replace('/var/lib/folsom', dir)
          .replace('keystone:', '127.0.0.1:')
          .replace(/^\$\{FOLSOM_HOST_IP:\?\}$/, HOST_IP),
      );
    /** Services that prepare something and end. */
    const prepares = ([, service]: [string, Service]) =>
      /^(folsom|node|\w+-manage)$/.test(service.command![0]!);
    const bin = join(ROOT, 'node_modules', '.bin');

    const runToEnd = async (name: string, service: Service) => {
      const [program, ...words] = wordsOf(service);
      const [file, argv] =
        program === 'node' ? [join(ROOT, words[0]!), words.slice(1)] : [programFile(program!), words];
      await promisify(execFile)(process.execPath, [file, ...argv], {
        env: {
          PATH: `${bin}:${process.env.PATH}`,
          FOLSOM_ADMIN_TOKEN: 'compose-admin-token',
          FOLSOM_PASSWORD: 'compose-test',
        },
      }).catch(error => {
        throw new Error(`${name}: ${error.stdout}${error.stderr}`);
      });
    };
    const startOne = async (name: string, service: Service) => {
      const [program, ...words] = wordsOf(service);
      const [port, path = '/readyz'] = service.healthcheck?.test.slice(3) ?? [];
      programs.push(
        await startProgram(program!, words, {
          logFile: join(dir, `${name}.log`),
          ...(port === undefined
            ? { until: /"message":"ready"/ }
            : { ports: [{ host: '127.0.0.1', port: moved[port]! }] }),
        }),
      );
      if (port === undefined) return;
      const ready = await fetch(`http://127.0.0.1:${moved[port]}${path}`);
      expect(ready.status, `${name}: ${await ready.text()}`).toBe(200);
    };

    it('have a database user each, and files that nobody else reads', async () => {
      const users = new Set<string>();
      for (const name of ['keystone', 'glance-api', 'glance-registry', 'nova']) {
        const file = join(dir, 'etc', `${name}.conf`);
        expect((await stat(file)).mode & 0o077, name).toBe(0);
        const at = /mysql:\/\/(\w+):(\w+)@/.exec(await readFile(file, 'utf8'))!;
        expect(at[1]).toBe(name.split('-')[0]);
        users.add(at[2]!);
      }
      expect(users.size).toBe(3);
    });

    it('prepare and run every service, each after what it waits for', async () => {
      const waiting = new Map(ours);
      while (waiting.size > 0) {
        const next = [...waiting].filter(([, { depends_on = {} }]) =>
          Object.keys(depends_on).every(needed => !waiting.has(needed)),
        );
        expect(next.length, `a circle among ${[...waiting.keys()]}`).toBeGreaterThan(0);
        await Promise.all(next.map(entry => (prepares(entry) ? runToEnd(...entry) : startOne(...entry))));
        for (const [name] of next) waiting.delete(name);
      }
      expect(programs.length).toBeGreaterThan(20);
      // What crosses them all: every daemon has reported to the database.
      const listed = await runProgram('nova-manage', [
        '--config-file',
        join(dir, 'etc', 'nova.conf'),
        'service',
        'list',
      ]);
      for (const daemon of [
        'nova-scheduler',
        'nova-network',
        'nova-compute',
        'nova-consoleauth',
        'nova-console',
        'nova-cert',
        'nova-volume',
      ]) {
        expect(listed.stdout).toMatch(new RegExp(`^${daemon} .*:-\\)`, 'm'));
      }
    }, 240_000);

    it('make a cloud: an administrator logs in, uploads an image, boots a server and stores an object', async () => {
      const at = (port: string, path: string) => `http://127.0.0.1:${moved[port]}${path}`;
      const access = await logIn(at('5000', '/v2.0/tokens'));
      expect(access.serviceCatalog.map(service => service.type).sort()).toEqual([
        'compute',
        'ec2',
        'identity',
        'image',
        'object-store',
        'volume',
      ]);
      for (const { endpoints } of access.serviceCatalog)
        expect(new URL(endpoints[0]!.publicURL).hostname).toBe(HOST_IP);
      const tenant = access.token.tenant.id;
      const ask = async (
        method: string,
        url: string,
        headers: Record<string, string> = {},
        body?: string,
      ) => {
        const response = await fetch(url, {
          method,
          headers: { 'x-auth-token': access.token.id, ...headers },
          ...(body === undefined ? {} : { body }),
        });
        const text = await response.text();
        expect(response.ok, `${method} ${url}: ${response.status} ${text}`).toBe(true);
        return text;
      };
      const json = { 'content-type': 'application/json' };

      const network = await runProgram('nova-manage', [
        ...['--config-file', join(dir, 'etc', 'nova.conf'), 'network', 'create'],
        ...['--label=private', '--fixed_range_v4=10.8.0.0/24', '--bridge=br100'],
      ]);
      expect(network.code, network.stderr).toBe(0);
      const image = await ask(
        'POST',
        at('9292', '/v1/images'),
        {
          'content-type': 'application/octet-stream',
          'x-image-meta-name': 'small',
          'x-image-meta-disk_format': 'raw',
          'x-image-meta-container_format': 'bare',
        },
        'image',
      );
      const { id: imageRef } = (JSON.parse(image) as { image: { id: string } }).image;
      const servers = at('8774', `/v2/${tenant}/servers`);
      const made = await ask(
        'POST',
        servers,
        json,
        JSON.stringify({ server: { name: 'first', imageRef, flavorRef: '1' } }),
      );
      const { id } = (JSON.parse(made) as { server: { id: string } }).server;
      await eventually(
        async () =>
          (JSON.parse(await ask('GET', `${servers}/${id}`)) as { server: { status: string } }).server.status,
      ).toBe('ACTIVE');

      const volumes = at('8776', `/v1/${tenant}/volumes`);
      const volume = await ask('POST', volumes, json, JSON.stringify({ volume: { size: 1 } }));
      const { id: volumeId } = (JSON.parse(volume) as { volume: { id: string } }).volume;
      await eventually(
        async () =>
          (JSON.parse(await ask('GET', `${volumes}/${volumeId}`)) as { volume: { status: string } }).volume
            .status,
      ).toBe('available');

      const box = at('8080', `/v1/AUTH_${tenant}/box`);
      await ask('PUT', box);
      await ask('PUT', `${box}/note`, {}, 'kept');
      expect(await ask('GET', `${box}/note`)).toBe('kept');
    }, 240_000);
  });
});
