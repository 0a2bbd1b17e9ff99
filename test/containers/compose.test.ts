import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import {
  freePorts,
  type MariaDb,
  type RabbitServer,
  type RunningProgram,
  runProgram,
  serverMissing,
  startMariaDb,
  startProgram,
  startRabbit,
} from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

interface Service {
  image?: string;
  build?: { dockerfile: string; target: string };
  command?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[] };
}

const compose = parse(await readFile(join(ROOT, 'docker-compose.yml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
};
const ours = Object.entries(compose.services).filter(([, service]) => service.build);

describe('docker-compose.yml', () => {
  it('builds every service of ours from a target the Dockerfile has, with a command that exists', async () => {
    const manifest = JSON.parse(await readFile(join(ROOT, 'deploy', 'package.json'), 'utf8')) as {
      bin: Record<string, string>;
    };
    expect(ours.length).toBeGreaterThan(10);
    for (const [name, service] of ours) {
      const dockerfile = await readFile(join(ROOT, service.build!.dockerfile), 'utf8');
      expect(dockerfile, name).toMatch(new RegExp(`^FROM \\w+ AS ${service.build!.target}$`, 'm'));
      expect(Object.keys(manifest.bin), name).toContain(service.command![0]);
      for (const needed of Object.keys(service.depends_on ?? {})) {
        expect(Object.keys(compose.services), `${name} waits for ${needed}`).toContain(needed);
      }
    }
  });

  it('checks the health of what others wait for', () => {
    for (const [name, service] of Object.entries(compose.services)) {
      for (const [needed, { condition }] of Object.entries(service.depends_on ?? {})) {
        if (condition !== 'service_healthy') continue;
        expect(compose.services[needed]!.healthcheck, `${name} waits for ${needed}`).toBeDefined();
      }
    }
  });

  const missing = serverMissing('mariadb') || serverMissing('rabbit');
  describe.skipIf(missing)('its commands, against a MariaDB and a RabbitMQ of our own', () => {
    let dir: string;
    let mariadb: MariaDb;
    let rabbit: RabbitServer;
    const programs: RunningProgram[] = [];
    /** The ports of the file, moved out of everybody's way. */
    const moved: Record<string, number> = {};

    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), 'folsom-compose-'));
      [mariadb, rabbit] = await Promise.all([startMariaDb(), startRabbit()]);
      for (const name of ['keystone', 'glance', 'nova']) await mariadb.createDatabase(name);
      await rabbit.ctl('add_user', 'folsom', 'compose-test');
      await rabbit.ctl('set_permissions', 'folsom', '.*', '.*', '.*');
      const names = ['5000', '35357', '9292', '9191', '8774', '8775', '6080'];
      const free = await freePorts(names.length);
      for (const [index, name] of names.entries()) moved[name] = free[index]!;
      const settings: Record<string, string | number> = {
        password: 'compose-test',
        adminToken: 'compose-admin-token',
        state: dir,
        bind: '127.0.0.1',
        mysql: mariadb.url('keystone').replace(/\/keystone$/, ''),
        rabbitHost: '127.0.0.1',
        rabbitPort: rabbit.port,
        keystone: '127.0.0.1',
        keystonePublicPort: moved['5000']!,
        keystoneAdminPort: moved['35357']!,
        glance: '127.0.0.1',
        glancePort: moved['9292']!,
        registry: '127.0.0.1',
        registryPort: moved['9191']!,
        computePort: moved['8774']!,
        metadataPort: moved['8775']!,
        novncPort: moved['6080']!,
        computeDriver: 'fake.FakeDriver',
        fakeNetwork: 'True',
        host: 'compose',
      };
      await promisify(execFile)(process.execPath, [
        join(ROOT, 'deploy', 'containers', 'configure.mjs'),
        ...['--out', join(dir, 'etc'), '--env', join(dir, 'env')],
        ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
      ]);
    });
    afterAll(async () => {
      await Promise.all(programs.map(program => program.stop()));
      await rabbit?.stop();
      await mariadb?.stop();
      await rm(dir, { recursive: true, force: true });
    });

    const argumentsOf = (service: Service) =>
      service.command!.slice(1).map(word => word.replace('/etc/folsom', join(dir, 'etc')));

    it('create the databases and run every service until it is ready', async () => {
      for (const [name, service] of ours.filter(([, item]) =>
        item.command!.some(word => /sync$/.test(word)),
      )) {
        const done = await runProgram(service.command![0]!, argumentsOf(service));
        expect(done.code, `${name}: ${done.stderr}`).toBe(0);
      }
      for (const [name, service] of ours.filter(
        ([, item]) => !item.command!.some(word => /sync$/.test(word)),
      )) {
        const port = service.healthcheck?.test.at(-1);
        programs.push(
          await startProgram(service.command![0]!, argumentsOf(service), {
            logFile: join(dir, `${name}.log`),
            ...(port === undefined
              ? { until: /"message":"ready"/ }
              : { ports: [{ host: '127.0.0.1', port: moved[port]! }] }),
          }),
        );
        if (port === undefined) continue;
        const ready = await fetch(`http://127.0.0.1:${moved[port]}/readyz`);
        expect(ready.status, `${name}: ${await ready.text()}`).toBe(200);
      }
      expect(programs.length).toBeGreaterThan(8);
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
        'nova-cert',
      ]) {
        expect(listed.stdout).toMatch(new RegExp(`^${daemon} .*:-\\)`, 'm'));
      }
    }, 240_000);
  });
});
