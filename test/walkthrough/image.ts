import { createHash } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';
import { rowsOf } from './printed.ts';
import { HOST, type Walk } from './walk.ts';

/** An image file to upload. */
export interface ImageFile {
  name: string;
  bytes: Buffer;
}

/** Section two: glance, and images uploaded from files. */
export function imageSteps(walk: Walk, images: () => readonly [ImageFile, ImageFile]): void {
  it('creates the image database, starts glance and registers it', async () => {
    const database = ['[DEFAULT]', `sql_connection = sqlite:///${walk.dir}/glance.sqlite`];
    const authtoken = [
      '[keystone_authtoken]',
      `auth_host = ${HOST}`,
      'auth_port = 35357',
      'auth_protocol = http',
      'admin_tenant_name = service',
      'admin_user = glance',
      'admin_password = glance',
      '[paste_deploy]',
      'flavor = keystone',
    ];
    const registry = await walk.configure('glance-registry.conf', [...database, ...authtoken]);
    const api = await walk.configure('glance-api.conf', [
      ...database,
      'enable_v1_api = True',
      'enable_v2_api = True',
      `registry_host = ${HOST}`,
      `filesystem_store_datadir = ${walk.dir}/images`,
      ...authtoken,
    ]);
    const synced = await runProgram('glance-manage', ['--config-file', registry, 'db_sync']);
    expect(synced, synced.stderr).toMatchObject({ code: 0, stdout: '' });
    await walk.start('glance-registry', registry, [9191]);
    await walk.start('glance-api', api, [9292]);
    const service = await walk.shell.prints(
      ['keystone', 'service-create', '--name=glance', '--type=image', '--description=Glance Image Service'],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |       Glance Image Service       |
|      id     | cb9a0db4fae44f1ba250034153f68906 |
|     name    |              glance              |
|     type    |              image               |
+-------------+----------------------------------+`,
    );
    const url = `http://${HOST}:9292`;
    const urls = ['--publicurl', url, '--adminurl', url, '--internalurl', url];
    await walk.shell.run(['keystone', 'endpoint-create', '--service_id', service.id!, ...urls]);
    expect((await walk.shell.run(['glance', 'image-list'])).trim()).toBe('');
  });

  it('uploads images from files', async () => {
    for (const { name, bytes } of images()) {
      const file = join(walk.dir, `${name}-disk.img`);
      await writeFile(file, bytes);
      const printed = await walk.shell.prints(
        ['glance', 'image-create', `--name=${name}`, '--disk-format=qcow2', '--container-format=bare'],
        `
+------------------+--------------------------------------+
| Property         | Value                                |
+------------------+--------------------------------------+
| checksum         | ${createHash('md5').update(bytes).digest('hex')}     |
| container_format | bare                                 |
| created_at       | 2013-05-26T05:52:19                  |
| deleted          | False                                |
| deleted_at       | None                                 |
| disk_format      | qcow2                                |
| id               | 16bfa875-8e0a-4cc3-8041-e8c64cca9f5e |
| is_public        | False                                |
| min_disk         | 0                                    |
| min_ram          | 0                                    |
| name             | ${name.padEnd(36)} |
| owner            | b0b356e2c68f4ab29a1556a01aad022d     |
| protected        | False                                |
| size             | ${String(bytes.length).padEnd(36)} |
| status           | active                               |
| updated_at       | 2013-05-26T05:52:19                  |
+------------------+--------------------------------------+`,
        { stdinFile: file },
      );
      expect(printed.checksum).toBe(createHash('md5').update(bytes).digest('hex'));
      expect(printed.owner).toBe(walk.ids.tenant);
    }
    const lengths = images().map(image => String(image.bytes.length));
    const width = Math.max(...lengths.map(length => length.length));
    const sizes = lengths.map(length => length.padEnd(width));
    await walk.shell.prints(
      ['glance', 'image-list'],
      `
+--------------------------------------+---------------------+-------------+------------------+${'-'.repeat(width + 2)}+--------+
| ID                                   | Name                | Disk Format | Container Format | ${'Size'.padEnd(width)} | Status |
+--------------------------------------+---------------------+-------------+------------------+${'-'.repeat(width + 2)}+--------+
| 16bfa875-8e0a-4cc3-8041-e8c64cca9f5e | cirros-0.3.0-i386   | qcow2       | bare             | ${sizes[0]} | active |
| 9f92df26-8fd3-42b9-a00c-b9fb2c73ed21 | cirros-0.3.0-x86_64 | qcow2       | bare             | ${sizes[1]} | active |
+--------------------------------------+---------------------+-------------+------------------+${'-'.repeat(width + 2)}+--------+`,
      { unordered: true },
    );
    const index = await walk.shell.run(['glance', 'index']);
    expect(index.split('\n').slice(0, 2)).toEqual([
      'ID                                   Name                           Disk Format          Container Format     Size          ',
      '------------------------------------ ------------------------------ -------------------- -------------------- --------------',
    ]);
    for (const { name, bytes } of images()) {
      const line = `${name.padEnd(30)} ${'qcow2'.padEnd(20)} ${'bare'.padEnd(20)} ${String(bytes.length).padStart(14)}`;
      expect(index.split('\n').map(text => text.slice(37))).toContain(line);
    }
    const id = rowsOf(await walk.shell.run(['glance', 'image-list'])).find(
      row => row.Name === images()[0].name,
    )!.ID!;
    await walk.shell.run(['glance', 'image-download', '--file', join(walk.dir, 'copy.img'), id]);
    const sum = await walk.host.exec(['md5sum', join(walk.dir, 'copy.img')]);
    expect(sum.stdout).toContain(createHash('md5').update(images()[0].bytes).digest('hex'));
  });
}
