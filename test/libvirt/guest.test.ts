import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { flavorById, flavorWire } from '@folsom/nova/flavors';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addFlavor } from '../faults/compute-cloud.ts';
import {
  cannotRun,
  eventually,
  type HostUnderTest,
  hostUnderTest,
  letSshInto,
  openSsh,
  sshTo,
} from './host-under-test.ts';

const active = (row: Record<string, unknown>) => row.vm_state === 'active' && row.task_state === null;

describe.skipIf(cannotRun() !== undefined)('a real guest', { timeout: 600_000 }, () => {
  let host: HostUnderTest;
  let key: { file: string; text: string };

  beforeAll(async () => {
    host = await hostUnderTest(`kvm${process.pid % 10000}`);
    await host.start();
    await host.rpc('network', 'create_networks', { label: 'private', cidr: '10.77.0.0/24', bridge: 'br100' });
    key = await openSsh(host);
  });
  afterAll(async () => {
    await host?.remove();
  });

  const ssh = (address: string, ...argv: string[]) => sshTo(host, key.file, address, ...argv);
  const addressOf = async (uuid: string): Promise<string> =>
    (await host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('address'))!.address;
  const rules = async () => (await host.space.exec(['iptables-save'])).stdout;

  it('boots from three parts, gets address, name and key, and lets the user in without a password', async () => {
    const started = performance.now();
    const uuid = await host.boot('ami', { key_name: 'k', key_data: key.text });
    await letSshInto(host, [uuid]);
    await host.state(uuid, active);
    const activeAfter = performance.now() - started;
    const address = await addressOf(uuid);
    const logged = await eventually(
      () => ssh(address, 'hostname; cat /proc/cmdline'),
      answer => answer.code === 0,
      120_000,
    );
    console.info(
      `three-part guest: active ${(activeAfter / 1000).toFixed(1)} s, ssh ${((performance.now() - started) / 1000).toFixed(1)} s`,
    );
    expect(logged.stdout).toContain('guest-');
    expect(logged.stdout).toContain('root=/dev/vda');
    expect(await host.consoleOf(uuid)).toContain('instance-id: i-');
    const vnc = await host.rpc<{ port: number }>('compute', 'get_vnc_console', {
      instance: await host.instance(uuid),
      console_type: 'novnc',
    });
    expect(vnc.port).toBeGreaterThanOrEqual(5900);
    // The lease was noticed.
    await eventually(
      () => host.db.knex('fixed_ips').where({ instance_uuid: uuid }).first('leased'),
      row => row?.leased === 1,
    );
    // Rules change while the guest runs.
    expect(await rules()).toContain('--dport 22 -j ACCEPT');
    await host.db.knex('security_group_rules').update({ deleted: 1 });
    await host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
    await eventually(rules, text => !text.includes('--dport 22 -j ACCEPT'));
    await host.db.knex('security_group_rules').update({ deleted: 0 });
    await host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
    await eventually(rules, text => text.includes('--dport 22 -j ACCEPT'));

    const act = async (
      method: string,
      task: string | null,
      wanted: string,
      extra: Record<string, unknown> = {},
    ) => {
      await host.db.knex('instances').where({ uuid }).update({ task_state: task });
      await host.rpc('compute', method, { instance: await host.instance(uuid), ...extra });
      await host.state(uuid, row => row.vm_state === wanted && row.task_state === null);
    };
    await act('pause_instance', 'pausing', 'paused');
    expect(await host.virsh('domstate', 'instance-00000001')).toBe('paused');
    await act('unpause_instance', 'unpausing', 'active');
    // A group that the guest leaves is closed at once.
    await host.db.knex('security_group_instance_association').update({ deleted: 1 });
    await host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
    await eventually(rules, text => !text.includes('--dport 22 -j ACCEPT'));
    await host.db.knex('security_group_instance_association').update({ deleted: 0 });
    await host.rpc('compute', 'refresh_security_group_rules', { security_group_id: 1 });
    await eventually(rules, text => text.includes('--dport 22 -j ACCEPT'));
    // A guest that was asked to shut itself down is started only when it is off.
    await act('reboot_instance', 'rebooting', 'active', { reboot_type: 'SOFT' });
    expect(await host.virsh('domstate', 'instance-00000001')).toBe('running');
    await act('suspend_instance', 'suspending', 'suspended');
    await act('resume_instance', 'resuming', 'active');
    await eventually(
      () => ssh(address, 'true'),
      answer => answer.code === 0,
    );
    await host.ask({ do: 'addImage', args: { id: 'snap', status: 'queued' } });
    await act('snapshot_instance', 'image_snapshot', 'active', {
      image_id: 'snap',
      image_type: 'snapshot',
      backup_type: null,
      rotation: null,
    });
    expect(await host.ask({ do: 'image', args: 'snap' })).toMatchObject({
      status: 'active',
      disk_format: 'ami',
    });
    // The guest's filesystem has no journal: whatever cuts its power finds everything written.
    await ssh(address, 'sync');
    await act('stop_instance', 'stopping', 'stopped');
    expect(await host.virsh('domstate', 'instance-00000001')).toBe('shut off');

    // A service that is killed and started again finds everything as it is.
    await host.kill();
    await host.start();
    await act('start_instance', 'starting', 'active');
    await eventually(
      () => ssh(address, 'true'),
      answer => answer.code === 0,
      120_000,
    );

    // A host that was switched off: with the option its guests run again.
    await eventually(
      () => ssh(address, 'echo mine > keep; sync'),
      answer => answer.code === 0,
      120_000,
    );
    await host.kill();
    await host.virsh('destroy', 'instance-00000001');
    await host.start({ extra: { resume_guests_state_on_host_boot: true } });
    await eventually(
      () => host.virsh('domstate', 'instance-00000001'),
      text => text === 'running',
    );
    await eventually(
      () => ssh(address, 'sync'),
      answer => answer.code === 0,
      120_000,
    );

    // The rescue system boots from a disk of its own, with the guest's beside it.
    await act('rescue_instance', 'rescuing', 'rescued', { rescue_password: 'secret' });
    const disks = await host.virsh('domblklist', 'instance-00000001');
    expect(disks).toMatch(/vda\s+\S+\/disk\.rescue/);
    expect(disks).toMatch(/vdb\s+\S+\/disk\n?$/m);
    const rescued = await eventually(
      () => ssh(address, 'ls', '-a', '; grep', 'vd', '/proc/partitions'),
      answer => answer.code === 0,
      120_000,
    );
    expect(rescued.stdout).not.toContain('keep');
    expect(rescued.stdout).toContain('vdb');
    await act('unrescue_instance', 'unrescuing', 'active');
    expect((await host.virsh('domblklist', 'instance-00000001')).match(/disk\S*/g)).toEqual(['disk']);
    const again = await eventually(
      () => ssh(address, 'cat', 'keep'),
      answer => answer.code === 0,
      120_000,
    );
    expect(again.stdout).toBe('mine\n');

    await host.delete(uuid);
    expect(await host.virsh('list', '--all', '--name')).toBe('');
    expect(existsSync(join(host.dir, 'instances', 'instance-00000001'))).toBe(false);
    expect(await rules()).not.toContain('inst-1');
    expect((await host.space.exec(['ip', '-br', 'link'])).stdout).not.toContain('vnet');
  });

  it('boots from a disk of its own, survives libvirtd, dnsmasq and the bridge going away', async () => {
    const files = { injected_files: [['/etc/motd.d/hello', 'from outside']] };
    const uuid = await host.boot('disk', { key_name: 'k', key_data: key.text, config_drive: 'True' }, files);
    await letSshInto(host, [uuid]);
    await host.state(uuid, active);
    const name = await host.nameOf(uuid);
    await host.space.killLibvirtd();
    const lost = await host
      .rpc('compute', 'get_diagnostics', { instance: await host.instance(uuid) })
      .catch(String);
    expect(lost).toContain('HypervisorUnavailable');
    await host.space.startLibvirtd();
    await eventually(
      async () =>
        host.rpc('compute', 'get_diagnostics', { instance: await host.instance(uuid) }).catch(String),
      answer => typeof answer === 'object',
    );
    expect(await host.virsh('domstate', name)).toBe('running');
    const address = await addressOf(uuid);
    await eventually(
      () => ssh(address, 'true'),
      answer => answer.code === 0,
      120_000,
    );
    expect((await ssh(address, 'cat', '/etc/motd.d/hello')).stdout).toBe('from outside');
    // The same on the config drive, which the guest's own kernel reads.
    const drive = await eventually(
      () => host.consoleOf(uuid),
      text => text.includes('config drive:'),
    );
    expect(drive).toContain(`config drive: ${uuid}`);
    // Killed DHCP server and deleted bridge come back by themselves.
    const pid = async () =>
      (await host.space.exec(['cat', join(host.dir, 'networks', 'nova-br100.pid')])).stdout.trim();
    const before = await pid();
    process.kill(Number(before), 'SIGKILL');
    await eventually(pid, now => now !== '' && now !== before);
    await host.space.exec(['ip', 'link', 'del', 'br100']);
    await eventually(
      async () => (await host.space.exec(['ip', '-br', 'addr', 'show', 'br100'])).stdout,
      text => text.includes('10.77.0.1/24'),
    );
    await eventually(
      () => ssh(address, 'true'),
      answer => answer.code === 0,
    );
    await host.delete(uuid);
  });

  it('is resized in place and back', async () => {
    await host.kill();
    await host.start({ extra: { allow_resize_to_same_host: true } });
    // A small raw disk moves along, too.
    const uuid = await host.boot('ami', { config_drive: 'True' });
    await host.state(uuid, active);
    const name = await host.nameOf(uuid);
    const flavor = await flavorById(
      host.db.knex,
      await addFlavor(host.db, { name: 'm1.more', memory_mb: 160, root_gb: 1 }),
    );
    const memory = async () => /Max memory:\s+(\d+)/.exec(await host.virsh('dominfo', name))?.[1];
    const disk = async () => /Capacity:\s+(\d+)/.exec(await host.virsh('domblkinfo', name, 'vda'))?.[1];
    const before = [await memory(), await disk()];
    const resize = async () => {
      await host.db.knex('instances').where({ uuid }).update({ task_state: 'resize_prep' });
      await host.rpc('compute', 'prep_resize', {
        instance: await host.instance(uuid),
        instance_type: flavorWire(flavor),
        image: await host.ask({ do: 'image', args: 'ami' }),
        reservations: null,
      });
      await host.state(uuid, row => row.vm_state === 'resized' && row.task_state === null);
      return (await host.db.knex('migrations').orderBy('id', 'desc').first('id'))!.id as number;
    };
    const aside = join(host.dir, 'instances', `${name}_resize`);
    let migration_id = await resize();
    expect([await memory(), await disk()]).toEqual([String(160 * 1024), String(1024 ** 3)]);
    expect(existsSync(aside)).toBe(true);
    await host.db.knex('instances').where({ uuid }).update({ task_state: 'resize_reverting' });
    const message = async () => ({ instance: await host.instance(uuid), migration_id, reservations: null });
    await host.rpc('compute', 'revert_resize', await message());
    await host.state(uuid, active);
    expect([await memory(), await disk()]).toEqual(before);
    migration_id = await resize();
    await host.db.knex('instances').where({ uuid }).update({ vm_state: 'active' });
    await host.rpc('compute', 'confirm_resize', await message());
    await eventually(
      async () => existsSync(aside),
      there => !there,
    );
    expect(await host.virsh('domstate', name)).toBe('running');
    await resize();
    await host.delete(uuid);
    expect(existsSync(aside)).toBe(false);
  });

  it('takes everything out of the host when told to', async () => {
    writeFileSync(join(host.dir, 'before'), await rules());
    await host.ask({ do: 'unplug' });
    expect(await rules()).not.toContain('nova');
    const links = (await host.space.exec(['ip', '-br', 'link'])).stdout;
    expect(links).not.toContain('br100');
    expect(existsSync(join(host.dir, 'instances'))).toBe(false);
  });
});
