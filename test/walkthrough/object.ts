import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';
import { eventually } from './compute.ts';
import { normalise } from './printed.ts';
import { HOST, type Walk } from './walk.ts';

const DEVICES = ['sdb1', 'sdc1', 'sdd1'];
const RINGS = { account: 6002, container: 6001, object: 6000 } as const;
const DEVICE_BYTES = 320 * 1024 * 1024;

/** Section six: swift on three XFS devices in three zones, used with the swift client of 2012. */
export function objectSteps(walk: Walk): void {
  const swiftDir = () => join(walk.dir, 'swift');
  const builder = (...argv: string[]) => runProgram('swift-ring-builder', argv, { cwd: swiftDir() });

  it('mounts three XFS devices', async () => {
    for (const device of DEVICES) {
      const image = join(walk.dir, `${device}.img`);
      await writeFile(image, '');
      await truncate(image, DEVICE_BYTES);
      await walk.host.exec(['mkfs.xfs', '-q', '-i', 'size=1024', image], { allowedCodes: [0] });
      await walk.host.exec(['mkdir', '-p', join(walk.dir, 'node', device), swiftDir()], {
        allowedCodes: [0],
      });
      const mounted = await walk.host.exec([
        'mount',
        '-o',
        'loop,noatime',
        image,
        join(walk.dir, 'node', device),
      ]);
      expect(mounted.code, mounted.stderr).toBe(0);
    }
  });

  it('builds the rings and prints them', async () => {
    for (const [name, port] of Object.entries(RINGS)) {
      const file = `${name}.builder`;
      expect((await builder(file, 'create', '18', '3', '1')).code).toBe(0);
      for (const [index, device] of DEVICES.entries()) {
        const added = await builder(file, 'add', `z${index + 1}-${HOST}:${port}/${device}`, '100');
        expect(added.code, added.stdout + added.stderr).toBe(0);
      }
      const shown = await builder(file);
      expect(shown.stdout.replace(/ +$/gm, '').trimEnd()).toBe(
        [
          `${file}, build version 3`,
          '262144 partitions, 3 replicas, 3 zones, 3 devices, 100.00 balance',
          'The minimum number of hours before a partition can be reassigned is 1',
          'Devices:    id  zone      ip address  port      name weight partitions balance meta',
          ...DEVICES.map(
            (device, index) =>
              `             ${index}     ${index + 1}    ${HOST}  ${port}      ${device} 100.00          0 -100.00`,
          ),
        ].join('\n'),
      );
      const balanced = await builder(file, 'rebalance');
      expect(balanced.code, balanced.stdout + balanced.stderr).toBe(0);
      expect((await readFile(join(swiftDir(), `${name}.ring.gz`))).length).toBeGreaterThan(100);
    }
  });

  it('starts the storage servers and the proxy', async () => {
    await walk.configure('swift/swift.conf', [
      '[swift-hash]',
      'swift_hash_path_suffix = 3f9c2a71d0b84e65a1c7',
    ]);
    for (const [name, port] of Object.entries(RINGS)) {
      const conf = await walk.configure(`swift/${name}-server.conf`, [
        '[DEFAULT]',
        `bind_ip = ${HOST}`,
        `bind_port = ${port}`,
        `devices = ${walk.dir}/node`,
        `swift_dir = ${swiftDir()}`,
        'workers = 1',
        '[pipeline:main]',
        `pipeline = ${name}-server`,
        `[app:${name}-server]`,
        `use = egg:swift#${name}`,
      ]);
      await walk.start(`swift-${name}-server`, conf, [port]);
    }
    const proxy = await walk.configure('swift/proxy-server.conf', [
      '[DEFAULT]',
      'bind_port = 8080',
      `bind_ip = ${HOST}`,
      'workers = 1',
      `swift_dir = ${swiftDir()}`,
      '[pipeline:main]',
      'pipeline = healthcheck cache authtoken keystone proxy-server',
      '[app:proxy-server]',
      'use = egg:swift#proxy',
      'allow_account_management = true',
      'account_autocreate = true',
      '[filter:cache]',
      'use = egg:swift#memcache',
      '[filter:healthcheck]',
      'use = egg:swift#healthcheck',
      '[filter:keystone]',
      'paste.filter_factory = keystone.middleware.swift_auth:filter_factory',
      'operator_roles = admin, SwiftOperator',
      'is_admin = true',
      '[filter:authtoken]',
      'paste.filter_factory = keystone.middleware.auth_token:filter_factory',
      // Requests without a token go on to the access lists.
      'delay_auth_decision = true',
      'admin_tenant_name = service',
      'admin_user = swift',
      'admin_password = swift',
      `auth_host = ${HOST}`,
      'auth_port = 35357',
      'auth_protocol = http',
    ]);
    await walk.start('swift-proxy-server', proxy, [8080]);
  });

  it('registers the service', async () => {
    const service = await walk.shell.prints(
      [
        'keystone',
        'service-create',
        ...['--name', 'swift', '--type', 'object-store', '--description', 'Swift Storage Service'],
      ],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |      Swift Storage Service       |
|      id     | 712004c454f144e0bf0d08d7c3fe2db4 |
|     name    |              swift               |
|     type    |           object-store           |
+-------------+----------------------------------+`,
    );
    const url = `http://${HOST}:8080/v1/AUTH_$(tenant_id)s`;
    await walk.shell.prints(
      [
        'keystone',
        'endpoint-create',
        '--service_id',
        service.id!,
        ...['--publicurl', url, '--adminurl', url, '--internalurl', url],
      ],
      `
+-------------+------------------------------------------------+
|   Property  |                     Value                      |
+-------------+------------------------------------------------+
|   adminurl  | http://172.16.200.8:8080/v1/AUTH_$(tenant_id)s |
|      id     |        44d8498d194b4166afe38c2981d67bfd        |
| internalurl | http://172.16.200.8:8080/v1/AUTH_$(tenant_id)s |
|  publicurl  | http://172.16.200.8:8080/v1/AUTH_$(tenant_id)s |
|    region   |                   regionOne                    |
|  service_id |        712004c454f144e0bf0d08d7c3fe2db4        |
+-------------+------------------------------------------------+`.replaceAll('172.16.200.8', HOST),
    );
  });

  it('stats, uploads, lists and downloads', async () => {
    const stat = await walk.shell.run([
      'swift',
      ...['-V', '2.0', '-A', `http://${HOST}:5000/v2.0`, '-U', 'service:swift', '-K', 'swift', 'stat'],
    ]);
    expect(normalise(stat.replace(/(X-Timestamp: )[\d.]+/, '$1T'))).toBe(
      normalise(`
   Account: AUTH_11e27e27f0444ef78efe00ec79b4f93c
Containers: 0
   Objects: 0
     Bytes: 0
Accept-Ranges: bytes
X-Timestamp: T`)
        .replace(/AUTH_\S+/, `AUTH_${walk.ids.service}`)
        .replace(/\b[0-9a-f]{32}\b/g, 'H'.repeat(32)),
    );
    walk.shell.env = {
      OS_USERNAME: 'swift',
      OS_TENANT_NAME: 'service',
      OS_PASSWORD: 'swift',
      OS_AUTH_URL: `http://${HOST}:35357/v2.0/`,
    };
    await walk.shell.run(['swift', 'stat']);
    await writeFile(join(walk.dir, 'localfile'), Buffer.alloc(5 * 1024));
    expect((await walk.shell.run(['swift', 'upload', 'testfile1', 'localfile'])).trim()).toBe('localfile');
    expect((await walk.shell.run(['swift', 'list'])).trim()).toBe('testfile1');
    await writeFile(join(walk.dir, 'localfile'), 'to be overwritten');
    await walk.shell.run(['swift', 'download', 'testfile1']);
    expect(await readFile(join(walk.dir, 'localfile'))).toEqual(Buffer.alloc(5 * 1024));
  });

  it('does the rest the client can: segments, changed only, access lists, delete', async () => {
    await writeFile(join(walk.dir, 'large'), Buffer.alloc(3_000_000, 'segment'));
    await walk.shell.run(['swift', 'upload', '-S', '1000000', 'segmented', 'large']);
    const parts = await walk.shell.run(['swift', 'list', 'segmented_segments']);
    expect(parts.trim().split('\n')).toHaveLength(3);
    expect(await walk.shell.run(['swift', 'upload', '-c', 'testfile1', 'localfile'])).toBe('');
    await walk.shell.run(['swift', 'post', '-r', '.r:*', 'testfile1']);
    const anonymous = await walk.host.exec([
      'curl',
      '-s',
      '-o',
      '/dev/null',
      '-w',
      '%{http_code}',
      `http://${HOST}:8080/v1/AUTH_${walk.ids.service}/testfile1/localfile`,
    ]);
    expect(anonymous.stdout).toBe('200');
    // By itself `delete --all` races against its own threads for the segments, which the manifest's deletion takes along.
    await walk.shell.run(['swift', 'delete', 'segmented']);
    await walk.shell.run(['swift', 'delete', '--all']);
    await eventually('the containers are gone', 20, async () =>
      (await walk.shell.run(['swift', 'list'])).trim() === '' ? true : undefined,
    );
  });
}
