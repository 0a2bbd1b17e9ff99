import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { crypt } from '@folsom/host/crypt';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addFlavor } from '../faults/compute-cloud.ts';
import {
  cannotRun,
  eventually,
  type HostUnderTest,
  hostUnderTest,
  letSshInto,
  openSsh,
  sshTo,
  TEST_MS,
} from './host-under-test.ts';
import { active } from './killed.ts';
import { tinyMachines } from './tiny-machines.ts';

const PASSWORD = 'of its root';

/**
 * Two guests, and what happens to the host below them; what users do to guests one after the other is walked through in `walk/`. A test that fails
 * leaves the host as nobody knows: those after it say so and are over at once.
 */
describe.skipIf(cannotRun() !== undefined)('real guests on a host that fails', { timeout: TEST_MS }, () => {
  let host: HostUnderTest;
  let key: { file: string; text: string };
  /** Of three parts, and of one disk. */
  let parts: string;
  let disk: string;
  let broken: string | undefined;

  beforeAll(async () => {
    host = await hostUnderTest(`kvm${process.pid % 10000}`);
    await host.start({ extra: { libvirt_inject_password: true, allow_resize_to_same_host: true } });
    await host.rpc('network', 'create_networks', { label: 'private', cidr: '10.77.0.0/24', bridge: 'br100' });
    key = await openSsh(host);
    const keyed = { key_name: 'k', key_data: key.text };
    const files = { injected_files: [['/etc/motd.d/hello', 'from outside']] };
    parts = await host.boot('ami', keyed);
    disk = await host.boot(
      'disk',
      { ...keyed, config_drive: 'True' },
      { ...files, admin_password: PASSWORD },
    );
    await letSshInto(host, [parts, disk]);
    for (const uuid of [parts, disk]) await host.state(uuid, active);
  }, TEST_MS);
  afterAll(async () => {
    await host?.remove();
  });
  beforeEach(({ skip, task, onTestFailed }) => {
    skip(broken !== undefined, broken);
    onTestFailed(() => {
      broken = `"${task.name}" has failed`;
    });
  });

  const addressOf = async (uuid: string): Promise<string> =>
    (await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'))!.address;
  /** What a command says in a guest, as soon as that answers. */
  const inside = async (uuid: string, command: string, user = 'cirros'): Promise<string> => {
    const address = await addressOf(uuid);
    const done = await eventually(
      () => sshTo(host, key.file, `${user}@${address}`, command),
      ({ code }) => code === 0,
    );
    return done.stdout.trim();
  };
  const onHost = async (...argv: string[]): Promise<string> => (await host.space.exec(argv)).stdout;
  const act = async (
    uuid: string,
    method: string,
    task: string | null,
    wanted: string,
    extra: Record<string, unknown> = {},
  ): Promise<void> => {
    await host.db.knex('instances').where({ uuid }).update({ task_state: task });
    await host.rpc('compute', method, { instance: await host.instance(uuid), ...extra });
    await host.state(uuid, row => row.vm_state === wanted && row.task_state === null);
  };
  const domstate = async (uuid: string) => host.virsh('domstate', await host.nameOf(uuid));

  it('a guest of three parts has its address, name and key, and lets the user in without a password', async () => {
    expect(await inside(parts, 'hostname; cat /proc/cmdline')).toMatch(/^guest-\d+\n.*root=\/dev\/vda/);
    expect(await host.consoleOf(parts)).toContain('instance-id: i-');
    const vnc = await host.rpc<{ port: number }>('compute', 'get_vnc_console', {
      instance: await host.instance(parts),
      console_type: 'novnc',
    });
    expect(vnc.port).toBeGreaterThanOrEqual(5900);
    // No group speaks of IPv6, so nothing of it passes between guests.
    expect(await onHost('ebtables', '-t', 'nat', '-L')).toMatch(/-p IPv6 .*-j DROP/);
    // The lease was noticed.
    await eventually(
      () => host.db.knex('fixed_ips').where({ instance_uuid: parts }).first('leased'),
      row => row?.leased === 1,
    );
  });

  it('a guest of one disk has the files and the password it was given there, and on its config drive', async () => {
    expect(await inside(disk, 'cat /etc/motd.d/hello')).toBe('from outside');
    const hash = await inside(disk, "sed -n 's/^root:\\([^:]*\\):.*/\\1/p' /etc/shadow", 'root');
    expect(await crypt(PASSWORD, hash)).toBe(hash);
    const drive = await eventually(
      () => host.consoleOf(disk),
      text => text.includes('config drive:'),
    );
    expect(drive).toContain(`config drive: ${disk}`);
  });

  it('what is done to a guest that runs leaves it the same', async () => {
    const boot = 'cat /proc/sys/kernel/random/boot_id';
    const before = await inside(parts, boot);
    const rules = () => onHost('iptables-save');
    const refresh = () => host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
    const isOpen = (text: string) => text.includes('--dport 22 -j ACCEPT');
    for (const table of ['security_group_rules', 'security_group_instance_association'] as const) {
      await host.db.knex(table).update({ deleted: 1 });
      await refresh();
      await eventually(rules, text => !isOpen(text));
      await host.db.knex(table).update({ deleted: 0 });
      await refresh();
      await eventually(rules, isOpen);
    }
    await act(parts, 'pause_instance', 'pausing', 'paused');
    expect(await domstate(parts)).toBe('paused');
    await act(parts, 'unpause_instance', 'unpausing', 'active');
    await act(parts, 'suspend_instance', 'suspending', 'suspended');
    expect(await domstate(parts)).toBe('shut off');
    await act(parts, 'resume_instance', 'resuming', 'active');
    await host.ask({ do: 'addImage', args: { id: 'snap', status: 'queued' } });
    await act(parts, 'snapshot_instance', 'image_snapshot', 'active', {
      image_id: 'snap',
      image_type: 'snapshot',
      backup_type: null,
      rotation: null,
    });
    expect(await host.ask({ do: 'image', args: 'snap' })).toMatchObject({
      status: 'active',
      disk_format: 'ami',
    });
    expect(await inside(parts, boot)).toBe(before);
  });

  it('is rescued and comes back; is resized in place, goes back, and stays resized', async () => {
    // It boots from nothing, which costs nobody's time. A small raw disk moves along, too.
    const uuid = await host.boot('blank', { config_drive: 'True' });
    await host.state(uuid, active);
    const name = await host.nameOf(uuid);
    await act(uuid, 'rescue_instance', 'rescuing', 'rescued', { rescue_password: 'secret' });
    const disks = await host.virsh('domblklist', name);
    expect(disks).toMatch(/vda\s+\S+\/disk\.rescue/);
    expect(disks).toMatch(/vdb\s+\S+\/disk\n?$/m);
    await act(uuid, 'unrescue_instance', 'unrescuing', 'active');
    expect((await host.virsh('domblklist', name)).match(/disk\S*/g)).toEqual(['disk', 'disk.config']);

    const flavor = await flavorById(
      host.db.knex,
      await addFlavor(host.db, { name: 'm1.more', memory_mb: 160, root_gb: 1 }),
    );
    const size = async () => [
      /Max memory:\s+(\d+)/.exec(await host.virsh('dominfo', name))?.[1],
      /Capacity:\s+(\d+)/.exec(await host.virsh('domblkinfo', name, 'vda'))?.[1],
    ];
    const before = await size();
    const resize = async () => {
      await act(uuid, 'prep_resize', 'resize_prep', 'resized', {
        instance_type: flavorWire(flavor),
        image: await host.ask({ do: 'image', args: 'blank' }),
        reservations: null,
      });
      const row = await host.db.knex('migrations').orderBy('id', 'desc').first('id');
      return { migration_id: row!.id, reservations: null };
    };
    const aside = join(host.dir, 'instances', `${name}_resize`);
    const first = await resize();
    expect(await size()).toEqual([String(160 * 1024), String(1024 ** 3)]);
    expect(existsSync(aside)).toBe(true);
    await act(uuid, 'revert_resize', 'resize_reverting', 'active', first);
    expect(await size()).toEqual(before);
    const second = await resize();
    await host.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await act(uuid, 'confirm_resize', null, 'active', second);
    await eventually(
      async () => existsSync(aside),
      there => !there,
    );
    expect(await domstate(uuid)).toBe('running');
    await host.delete(uuid);
    expect(await host.traces(uuid)).toEqual([]);
  });

  it('images of every format boot, a CD as a CD', async () => {
    const booted: { uuid: string; format: string; text: string }[] = [];
    for (const { format, text, bytes } of await tinyMachines()) {
      await host.ask({
        do: 'addImage',
        args: { id: format, disk_format: format, data: bytes.toString('base64') },
      });
      booted.push({ uuid: await host.boot(format), format, text });
    }
    for (const { uuid, text } of booted) {
      await host.state(uuid, active);
      await eventually(
        () => host.consoleOf(uuid),
        said => said.includes(text),
      );
    }
    const [iso] = booted;
    expect(await host.virsh('domblklist', '--details', await host.nameOf(iso!.uuid))).toMatch(
      /^\s*file\s+cdrom\s+hda\s/m,
    );
    await Promise.all(booted.map(({ uuid }) => host.delete(uuid)));
  });

  it('they run on without libvirtd, which is found again', async () => {
    const ask = async () =>
      host.rpc('compute', 'get_diagnostics', { instance: await host.instance(disk) }).catch(String);
    await host.space.killLibvirtd();
    expect(await ask()).toContain('HypervisorUnavailable');
    await host.space.startLibvirtd();
    await eventually(ask, answer => typeof answer === 'object');
    for (const uuid of [parts, disk]) expect(await domstate(uuid)).toBe('running');
  });

  it('a DHCP server that was killed and a bridge that was deleted come back', async () => {
    const pid = async () => (await onHost('cat', join(host.dir, 'networks', 'nova-br100.pid'))).trim();
    const before = await pid();
    process.kill(Number(before), 'SIGKILL');
    await eventually(pid, now => now !== '' && now !== before);
    await onHost('ip', 'link', 'del', 'br100');
    await eventually(
      () => onHost('ip', '-br', 'addr', 'show', 'br100'),
      text => text.includes('10.77.0.1/24'),
    );
    for (const uuid of [parts, disk]) await inside(uuid, 'true');
  });

  it('a host that was switched off starts the guests that ran, where it is told to, and no others', async () => {
    // The guest's filesystem has no journal: whatever cuts its power finds everything written.
    await inside(parts, 'echo mine > keep; sync');
    const boot = 'cat /proc/sys/kernel/random/boot_id';
    const first = await inside(parts, boot);
    await act(disk, 'stop_instance', 'stopping', 'stopped');
    await host.kill();
    await host.virsh('destroy', await host.nameOf(parts));
    await host.start({ extra: { resume_guests_state_on_host_boot: true } });
    await eventually(
      () => domstate(parts),
      text => text === 'running',
    );
    expect(await inside(parts, boot)).not.toBe(first);
    expect(await inside(parts, 'cat keep')).toBe('mine');
    expect(await domstate(disk)).toBe('shut off');
  });

  it('a deleted guest leaves nothing behind', async () => {
    const name = await host.nameOf(parts);
    await host.delete(parts);
    expect(await host.traces(parts)).toEqual([]);
    expect(existsSync(join(host.dir, 'instances', name))).toBe(false);
    expect(await onHost('ip', '-br', 'link')).not.toContain('vnet');
  });

  it('takes everything out of the host when told to', async () => {
    await host.ask({ do: 'unplug' });
    expect(await onHost('iptables-save')).not.toContain('nova');
    expect(await onHost('ip', '-br', 'link')).not.toContain('br100');
    expect(await host.virsh('list', '--all', '--name')).toBe('');
    expect(existsSync(join(host.dir, 'instances'))).toBe(false);
  });
});
