import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  addFault,
  CONSOLE_CHARS_MAX,
  type ComputeSeam,
  consoleOutput,
  copyGuestFiles,
  existingGuestFiles,
  firewall,
  type GuestDomains,
  growRootDisk,
  imageCache,
  type LibvirtConnection,
  makePlainGuestFiles,
  snapshotGuest,
} from '@folsom/compute-agent/testing';
import { adminContext, seededRandom, silentLogger, systemClock } from '@folsom/core';
import { needs } from '@folsom/core/testing';
import type { Database } from '@folsom/db';
import { run } from '@folsom/host';
import { namespaceRunner } from '@folsom/host/runner';
import { instanceRecord } from '@folsom/nova/instance-records';
import type { ImageWire } from '@folsom/nova/rpc/wire';
import { refreshMembersOfInstance } from '@folsom/nova/security-group-members';
import { createLocalBus } from '@folsom/rpc';
import { canMakeNamespaces, networkNamespace, tempDir } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addFlavor,
  addInstance,
  memoryImages,
  networkOf,
  PROJECT,
  testDatabase,
} from '../faults/compute-cloud.ts';

const context = adminContext();
const signal = new AbortController().signal;
const tools = needs('qemu-img', existsSync('/usr/bin/qemu-img'));

describe.skipIf(!tools)('images that users made', () => {
  const temp = tempDir('images');
  const images = memoryImages();
  const base = join(temp.path, '_base');
  const cache = imageCache({
    directory: base,
    sizeless: { virtualGigabytes: 20, expansion: 100 },
    images,
    clock: systemClock,
    random: seededRandom(5),
    log: silentLogger,
  });
  afterAll(() => temp.remove());

  const add = async (id: string, diskFormat: string, path: string): Promise<ImageWire> => {
    images.add({ id, disk_format: diskFormat, container_format: 'bare' }, await readFile(path));
    return images.stored.get(id)!.image;
  };
  const qemuImg = (...argv: string[]) => run(['qemu-img', ...argv], { timeoutMs: 60_000 });
  const refused = async (image: ImageWire, maxBytes = 0) =>
    cache.root(context, image, maxBytes, signal).then(
      () => 'accepted',
      error => `${error.name}: ${error.message}`,
    );

  it('44: CVE-2015-5163, CVE-2024-32498: images that point at files of the host are refused', async () => {
    const at = (name: string) => join(temp.path, name);
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', at('backing'), '1M');
    expect(await refused(await add('backing', 'qcow2', at('backing')))).toContain('has a backing file');
    await qemuImg(
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${at('data')},data_file_raw=on`,
      at('ext'),
      '1M',
    );
    expect(await refused(await add('ext', 'qcow2', at('ext')))).toContain('data is in another file');
    const descriptor =
      '# Disk DescriptorFile\nversion=1\ncreateType="monolithicFlat"\nRW 20 FLAT "/etc/passwd" 0\n';
    await writeFile(at('vmdk'), descriptor);
    expect(await refused(await add('vmdk', 'vmdk', at('vmdk')))).toContain('names other files');
    // The same bytes under a harmless name.
    expect(await refused(await add('liar', 'raw', at('backing')))).toContain('its bytes are qcow2');
    expect(await refused(await add('liar2', 'ami', at('vmdk')))).toContain('its bytes are vmdk');
    expect(await refused(await add('odd', 'tar', at('vmdk')))).toContain('not supported');
    expect((await readdir(base).catch(() => [])).filter(name => !name.includes('.'))).toEqual([]);
  });

  it('of every format that is taken become the very disk they hold', async () => {
    const raw = join(temp.path, 'whole');
    const path = join(temp.path, 'made');
    await writeFile(raw, Buffer.alloc(4 * 1024 ** 2, 'guest '));
    const wanted = await readFile(raw);
    for (const [label, format, options] of [
      ['qcow2', 'qcow2', 'compat=1.1'],
      ['vmdk', 'vmdk', 'subformat=monolithicSparse'],
      ['vmdk', 'vmdk', 'subformat=streamOptimized'],
      ['vdi', 'vdi', 'static=off'],
      ['vhd', 'vpc', 'subformat=dynamic,force_size=on'],
      ['vhd', 'vpc', 'subformat=fixed,force_size=on'],
    ] as const) {
      await qemuImg('convert', '-f', 'raw', '-O', format, '-o', options, raw, path);
      const made = await cache.root(context, await add(options, label, path), 0, signal);
      expect([options, (await readFile(made.path)).equals(wanted)]).toEqual([options, true]);
    }
    await rm(base, { recursive: true });
  });

  it('58: CVE-2013-2096: a small file that stands for a huge disk is refused before anything is copied', async () => {
    const path = join(temp.path, 'huge');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '500G');
    const started = performance.now();
    expect(await refused(await add('huge', 'qcow2', path), 1024 ** 3)).toContain('ImageTooLarge');
    // Copying it would take minutes.
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('58, 63: a flavor without a size of the disk does not take everything either', async () => {
    const small = join(temp.path, 'small');
    await qemuImg('create', '-q', '-f', 'qcow2', small, '419434496');
    expect(await refused(await add('bomb', 'qcow2', small))).toMatch(
      /unacceptable: its disk would have 419434496/,
    );
    await qemuImg('create', '-q', '-f', 'qcow2', small, '21G');
    expect(await refused(await add('wide', 'qcow2', small))).toMatch(/its disk would have/);
    // What clouds boot from: little that stands for a disk of some hundred megabytes.
    await qemuImg('create', '-q', '-f', 'qcow2', small, '112M');
    expect(await refused(await add('usual', 'qcow2', small))).toBe('accepted');
    expect(await refused(await add('bomb', 'qcow2', small), 30 * 1024 ** 3)).toBe('accepted');
    await rm(base, { recursive: true });
  });

  it('45, 63: CVE-2015-5162, CVE-2013-4463: what grows or cannot be read ends in a clear fault and leaves nothing', async () => {
    const path = join(temp.path, 'broken');
    await qemuImg('create', '-q', '-f', 'qcow2', path, '10M');
    const file = await open(path, 'r+');
    await file.write(Buffer.alloc(40, 0xff), 0, 40, 36);
    await file.close();
    expect(await refused(await add('broken', 'qcow2', path))).toContain('ImageUnacceptable');
    const raw = join(temp.path, 'raw');
    await writeFile(raw, Buffer.alloc(3 * 1024 ** 2));
    expect(await refused(await add('raw', 'raw', raw), 1024 ** 2)).toContain('ImageTooLarge');
    expect(await readdir(base)).toEqual([]);
  });

  it('66: CVE-2013-6437: names in the cache come from a closed set, and what nobody uses is removed', async () => {
    const raw = join(temp.path, 'raw');
    await cache.root(context, await add('../../etc/evil', 'raw', raw), 0, signal);
    await cache.blank('swap', 1);
    expect((await readdir(base)).every(name => /^([0-9a-f]{40}|swap_\d+)$/.test(name))).toBe(true);
    const nobody = { images: new Set<string>(), standing: new Set(['swap_1']) };
    const young = { original: 60_000, grown: 60_000 };
    expect(await cache.sweep(nobody, young)).toEqual([]);
    expect(await cache.sweep(nobody, { original: 0, grown: 0 })).toHaveLength(1);
    expect(await readdir(base)).toEqual(['swap_1']);
  });

  it('67, 68, 69: guests’ disks stay theirs: no folder others write to, bases untouched, formats never guessed', async () => {
    const db = await testDatabase();
    const uuid = await addInstance(db, await addFlavor(db, { swap: 1 }), { image_ref: 'plain' });
    const record = await instanceRecord(db.knex, uuid);
    await db.close();
    const raw = join(temp.path, 'raw');
    const image = await add('plain', 'raw', raw);
    const folder = join(temp.path, 'instance-00000001');
    const request = {
      context,
      guest: { ...record, name: 'instance-00000001' },
      image,
      injectedFiles: [],
      adminPassword: null,
      network: [],
      volumes: [],
      signal,
    };
    const made = await makePlainGuestFiles(request, folder, cache);
    expect((await stat(folder)).mode & 0o022).toBe(0);
    expect((await stat(join(folder, 'disk.info'))).mode & 0o077).toBe(0);
    const hash = async () => {
      const sums: string[] = [];
      for (const name of (await readdir(base)).sort()) {
        sums.push(
          createHash('md5')
            .update(await readFile(join(base, name)))
            .digest('hex'),
        );
        expect((await stat(join(base, name))).mode & 0o222).toBe(0);
      }
      return sums;
    };
    const before = await hash();
    // What a guest with a raw disk could do: write the header of another format over it.
    const evil = Buffer.concat([Buffer.from('QFI\xfb', 'latin1'), Buffer.alloc(100)]);
    await chmod(folder, 0o711);
    await writeFile(join(folder, 'disk.info'), JSON.stringify({ disk: { format: 'raw', target: 'vda' } }));
    await writeFile(join(folder, 'disk'), evil);
    expect((await existingGuestFiles(folder)).disks[0]!.format).toBe('raw');
    await copyGuestFiles(folder, `${folder}_copy`);
    expect((await existingGuestFiles(`${folder}_copy`)).disks[0]!.format).toBe('raw');
    // A header that names a file of the host as its base is only bytes to whatever reads the disk afterwards.
    const pointing = join(temp.path, 'pointing');
    await qemuImg('create', '-q', '-f', 'qcow2', '-b', '/etc/passwd', '-F', 'raw', pointing, '1M');
    const bytes = Buffer.concat([await readFile(pointing), Buffer.alloc(2 * 1024 ** 2)]);
    await writeFile(join(folder, 'disk'), bytes);
    const guest = { ...request.guest, flavor: { ...request.guest.flavor, root_gb: 1 } };
    await growRootDisk(folder, guest);
    expect((await stat(join(folder, 'disk'))).size).toBe(1024 ** 3);
    images.add({ id: 'snap', status: 'queued' });
    const domains = { folderOf: () => folder, exists: async () => true, stateOf: async () => 4 };
    await snapshotGuest(
      {
        domains: domains as unknown as GuestDomains,
        libvirt: {} as LibvirtConnection,
        random: seededRandom(6),
        snapshotsDirectory: join(temp.path, 'snapshots'),
        format: 'qcow2',
      },
      { context, guest, imageId: 'snap', images, signal },
    );
    const taken = join(temp.path, 'taken');
    await writeFile(taken, images.stored.get('snap')!.data);
    await qemuImg('convert', '-f', 'qcow2', '-O', 'raw', taken, `${taken}.raw`);
    const whole = await open(`${taken}.raw`);
    const start = Buffer.alloc(bytes.length);
    await whole.read(start, 0, start.length, 0);
    await whole.close();
    expect(start.equals(bytes)).toBe(true);
    expect(await readdir(join(temp.path, 'snapshots'))).toEqual([]);
    expect(await hash()).toEqual(before);
    expect(made.disks.map(disk => [disk.target, disk.format])).toEqual([
      ['vda', 'qcow2'],
      ['vdb', 'qcow2'],
    ]);
  });
});

describe('what guests can do to the service', () => {
  it('62: CVE-2013-4261: endless console output is cut before it travels', async () => {
    const db = await testDatabase();
    const uuid = await addInstance(db, await addFlavor(db));
    const seam = {
      db,
      settings: { instance_name_template: 'instance-%08x' },
      driver: { consoleOutput: async () => 'x'.repeat(10 * 1024 ** 2) },
    } as unknown as ComputeSeam;
    expect((await consoleOutput(seam, context, uuid, null)).length).toBe(CONSOLE_CHARS_MAX);
    expect((await consoleOutput(seam, context, uuid, 5)).length).toBe(CONSOLE_CHARS_MAX);
    await db.close();
  });

  it('79: CVE-2019-14433: users see the name of a fault, never the text of an inner error', async () => {
    const db = await testDatabase();
    const uuid = await addInstance(db, await addFlavor(db));
    const seam = { db, world: { clock: systemClock } } as unknown as ComputeSeam;
    await addFault(seam, uuid, new Error('cannot open /secret/path as user nova:MARK'));
    const row = (await db.knex('instance_faults').first())!;
    expect(row.message).toBe('NovaException');
    await db.close();
  });

  it('60: CVE-2013-4185: refreshing a group of 200 servers sends one message a host', async () => {
    const db = await testDatabase();
    const world = { clock: systemClock, random: seededRandom(1), log: silentLogger };
    const bus = createLocalBus(world);
    const flavor = await addFlavor(db);
    await db.knex('security_groups').insert({ id: 1, name: 'web', project_id: PROJECT, deleted: 0 });
    await db
      .knex('security_group_rules')
      .insert({ parent_group_id: 1, group_id: 1, protocol: 'tcp', deleted: 0 });
    const uuids: string[] = [];
    for (let index = 0; index < 200; index++) {
      const uuid = await addInstance(db, flavor, { host: `node${index % 4}` });
      await db
        .knex('security_group_instance_association')
        .insert({ security_group_id: 1, instance_uuid: uuid, deleted: 0 });
      uuids.push(uuid);
    }
    let messages = 0;
    const counting = {
      ...bus,
      cast: async () => {
        messages++;
      },
    };
    await refreshMembersOfInstance({ db, bus: counting }, context, uuids[0]!);
    expect(messages).toBe(4);
    await db.close();
  });
});

describe.skipIf(!needs('root', canMakeNamespaces()))('security groups on the host', () => {
  const name = `sec${process.pid % 100000}`;
  let remove: () => Promise<void>;
  let db: Database;
  beforeAll(async () => {
    remove = (await networkNamespace(name, [])).remove;
    db = await testDatabase();
  });
  afterAll(async () => {
    await remove();
    await db.close();
  });
  const runner = namespaceRunner(name);
  const chain = async (id: number) =>
    (await runner(['iptables-save', '-t', 'filter'], { timeoutMs: 30_000 })).stdout
      .split('\n')
      .filter(line => line.startsWith(`-A nova-compute-inst-${id} `))
      .map(line => line.slice(`-A nova-compute-inst-${id} `.length));

  it('51, 64: CVE-2012-2654, CVE-2013-4497: rules hold whatever their spelling, and follow every change', async () => {
    const flavor = await addFlavor(db);
    const one = await addInstance(db, flavor);
    const id = (await db.knex('instances').where({ uuid: one }).first('id'))!.id;
    await db.knex('security_groups').insert({ id: 7, name: 'g', project_id: PROJECT, deleted: 0 });
    await db
      .knex('security_group_instance_association')
      .insert({ security_group_id: 7, instance_uuid: one, deleted: 0 });
    const rule = (values: Record<string, unknown>) =>
      db
        .knex('security_group_rules')
        .insert({ parent_group_id: 7, deleted: 0, cidr: '0.0.0.0/0', ...values });
    const walls = firewall({ db, runner, log: silentLogger, allowSameNetTraffic: false });
    const network = networkOf('10.5.0.2', '10.5.0.0/24', '10.5.0.1');
    await walls.add({ id, uuid: one, network });
    const start = [
      '-m state --state INVALID -j DROP',
      '-m state --state RELATED,ESTABLISHED -j ACCEPT',
      '-j nova-compute-provider',
      '-s 10.5.0.1/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT',
    ];
    const end = ['-j nova-compute-sg-fallback'];
    expect(await chain(id)).toEqual([...start, ...end]);
    await rule({ protocol: 'TCP', from_port: 22, to_port: 22 });
    await walls.refresh([one]);
    expect(await chain(id)).toEqual([...start, '-p tcp -m tcp --dport 22 -j ACCEPT', ...end]);
    await rule({ protocol: 'udp', from_port: 1, to_port: 9, cidr: '192.0.2.0/24' });
    await rule({ protocol: 'icmp', from_port: -1, to_port: -1 });
    await walls.refresh(null);
    expect(await chain(id)).toEqual([
      ...start,
      '-p tcp -m tcp --dport 22 -j ACCEPT',
      '-s 192.0.2.0/24 -p udp -m udp --dport 1:9 -j ACCEPT',
      '-p icmp -j ACCEPT',
      ...end,
    ]);
    await db.knex('security_group_rules').update({ deleted: 1 });
    await walls.refresh([one]);
    expect(await chain(id)).toEqual([...start, ...end]);
    await walls.remove({ id, uuid: one });
    expect(await chain(id)).toEqual([]);
    await walls.removeAll();
  });

  it('64: after any history of guests, rules, members and restarts the chains are what the database says', async () => {
    const flavor = await addFlavor(db, { name: 'm1.history' });
    await db.knex('security_group_rules').delete();
    const group = 70;
    const other = 71;
    for (const id of [group, other])
      await db.knex('security_groups').insert({ id, name: `g${id}`, project_id: PROJECT, deleted: 0 });
    const guests = await Promise.all(
      [0, 1, 2].map(async at => {
        const uuid = await addInstance(db, flavor);
        const { id } = (await db.knex('instances').where({ uuid }).first('id'))!;
        await db.knex('fixed_ips').insert({
          address: `10.6.0.${at + 2}`,
          instance_uuid: uuid,
          allocated: 1,
          deleted: 0,
        });
        return { id: id as number, uuid, address: `10.6.0.${at + 2}` };
      }),
    );
    const filtered = (guest: (typeof guests)[number]) => ({
      id: guest.id,
      uuid: guest.uuid,
      network: networkOf(guest.address, '10.6.0.0/24', '10.6.0.1'),
    });
    const present = new Set<number>();
    const make = () => firewall({ db, runner, log: silentLogger, allowSameNetTraffic: false });
    let walls = make();
    const random = seededRandom(64);
    const pick = <T>(list: readonly T[]): T => list[random.int(list.length)]!;
    const members = () =>
      db.knex('security_group_instance_association').whereIn('security_group_id', [group, other]);
    const steps: Record<string, () => Promise<unknown>> = {
      arrive: async () => {
        const guest = pick(guests);
        present.add(guest.id);
        await walls.add(filtered(guest));
      },
      leave: async () => {
        const guest = pick(guests);
        present.delete(guest.id);
        await walls.remove(guest);
      },
      allow: async () => {
        const port = 1 + random.int(1000);
        const from = pick([{ cidr: '192.0.2.0/24' }, { group_id: other }]);
        const ports = { protocol: pick(['tcp', 'UDP']), from_port: port, to_port: port };
        await db
          .knex('security_group_rules')
          .insert({ parent_group_id: pick([group, other]), deleted: 0, ...ports, ...from });
        await walls.refresh(null);
      },
      forbid: async () => {
        const rows = await db.knex('security_group_rules').select('id');
        if (rows.length > 0) await db.knex('security_group_rules').where(pick(rows)).delete();
        await walls.refresh(guests.map(guest => guest.uuid));
      },
      join: async () => {
        const [security_group_id, instance_uuid] = [pick([group, other]), pick(guests).uuid];
        const link = { security_group_id, instance_uuid, deleted: 0 };
        if ((await members().where(link)).length === 0)
          await db.knex('security_group_instance_association').insert(link);
        await walls.refresh(null);
      },
      part: async () => {
        await members()
          .where({ instance_uuid: pick(guests).uuid })
          .delete();
        await walls.refresh(null);
      },
      restart: async () => {
        walls = make();
        await walls.adopt(guests.filter(guest => present.has(guest.id)).map(filtered));
      },
    };
    const history: string[] = [];
    for (let step = 0; step < 40; step++) {
      const name = pick(Object.keys(steps));
      history.push(name);
      await steps[name]!();
      for (const guest of guests) {
        const wanted = present.has(guest.id) ? await expectedChain(guest.uuid) : [];
        expect([history.join(' '), await chain(guest.id)]).toEqual([history.join(' '), wanted]);
      }
    }
    await walls.removeAll();
  });

  /** The model: what the rows of the database mean for a guest. */
  async function expectedChain(uuid: string): Promise<string[]> {
    const rules = await db
      .knex('security_group_rules as rule')
      .join('security_group_instance_association as link', 'link.security_group_id', 'rule.parent_group_id')
      .where({ 'link.instance_uuid': uuid })
      .orderBy('rule.parent_group_id')
      .orderBy('rule.id')
      .select('rule.*');
    const lines: string[] = [];
    for (const rule of rules) {
      const protocol = String(rule.protocol).toLowerCase();
      const match = ` -p ${protocol} -m ${protocol} --dport ${rule.from_port} -j ACCEPT`;
      if (rule.group_id === null) lines.push(`-s ${rule.cidr}${match}`);
      else {
        const addresses = await db
          .knex('fixed_ips')
          .join(
            'security_group_instance_association as link',
            'link.instance_uuid',
            'fixed_ips.instance_uuid',
          )
          .where({ 'link.security_group_id': rule.group_id })
          .orderBy('fixed_ips.id')
          .select('fixed_ips.address');
        for (const { address } of addresses) lines.push(`-s ${address}/32${match}`);
      }
    }
    return [
      '-m state --state INVALID -j DROP',
      '-m state --state RELATED,ESTABLISHED -j ACCEPT',
      '-j nova-compute-provider',
      '-s 10.6.0.1/32 -p udp -m udp --sport 67 --dport 68 -j ACCEPT',
      ...new Set(lines),
      '-j nova-compute-sg-fallback',
    ];
  }
});
