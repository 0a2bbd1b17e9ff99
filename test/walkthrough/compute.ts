import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import { DEVICE_MAPPER } from '@folsom/host/device-mapper';
import { runProgram } from '@folsom/testing';
import { expect, it } from 'vitest';
import { normalise, rowsOf } from './printed.ts';
import { lookAtScreen } from './screen.ts';
import { HOST, type Walk } from './walk.ts';

const NODE = 'node1.magedu.com';
/** Folsom's rate limits let a user POST ten times a minute; reading the console log is a POST. */
const POST_PAUSE_MS = 7_000;
const DAEMONS = ['cert', 'console', 'compute', 'network', 'scheduler'];

/** Polls until `look` finds something; the error tells what was seen last. */
export async function eventually<T>(
  what: string,
  seconds: number,
  look: () => Promise<T | undefined>,
  pauseMs = 250,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw new Error(`${what}: not within ${seconds} s`);
    await new Promise(resolve => setTimeout(resolve, pauseMs));
  }
}

/** nova.conf of the walk-through, with the paths of this host and RabbitMQ for qpid. */
const novaConf = (walk: Walk, rabbitPort: number): string[] => [
  '[DEFAULT]',
  'auth_strategy=keystone',
  'verbose=True',
  `logdir=${walk.dir}/log`,
  `state_path=${walk.dir}/nova`,
  `lock_path=${walk.dir}/lock`,
  'rootwrap_config=/etc/nova/rootwrap.conf',
  'compute_scheduler_driver=nova.scheduler.filter_scheduler.FilterScheduler',
  'volume_driver=nova.volume.driver.ISCSIDriver',
  'volume_group=nova-volume',
  'volume_name_template=volume-%08x',
  'iscsi_helper=tgtadm',
  `sql_connection=sqlite:///${walk.dir}/nova.sqlite`,
  'libvirt_type=qemu',
  // The kernel of the guest image has drivers for virtio's cards only.
  'libvirt_use_virtio_for_bridges=True',
  'compute_driver=libvirt.LibvirtDriver',
  'instance_name_template=instance-%08x',
  'libvirt_nonblocking = True',
  'libvirt_inject_partition = -1',
  'allow_resize_to_same_host=True',
  'enabled_apis=osapi_compute,metadata',
  'osapi_compute_extension=nova.api.openstack.compute.contrib.standard_extensions',
  `ec2_dmz_host=${HOST}`,
  `s3_host=${HOST}`,
  'rpc_backend = nova.openstack.common.rpc.impl_kombu',
  'rabbit_host = 127.0.0.1',
  `rabbit_port = ${rabbitPort}`,
  'image_service=nova.image.glance.GlanceImageService',
  `glance_api_servers=${HOST}:9292`,
  'network_manager=nova.network.manager.FlatDHCPManager',
  'force_dhcp_release=True',
  'firewall_driver=nova.virt.libvirt.firewall.IptablesFirewallDriver',
  `host=${NODE}`,
  `my_ip=${HOST}`,
  'public_interface=eth0',
  'vlan_interface=eth0',
  'flat_network_bridge=br100',
  'flat_interface=eth0',
  'fixed_range=172.16.200.0/24',
  `novncproxy_base_url=http://${HOST}:6080/vnc_auto.html`,
  'novncproxy_host=0.0.0.0',
  'novncproxy_port=6080',
  'vnc_enabled=true',
  `vncserver_proxyclient_address=${HOST}`,
  `vncserver_listen=${HOST}`,
  '[keystone_authtoken]',
  `auth_host = ${HOST}`,
  'auth_port = 35357',
  'auth_protocol = http',
  'admin_tenant_name = service',
  'admin_user = nova',
  'admin_password = nova',
];

/** Sections three to five and the consoles: nova from an empty database to a guest that is used and deleted. */
export function computeSteps(walk: Walk, options: { rabbitPort: () => number }): void {
  let conf = '';
  const manage = async (...argv: string[]) => {
    const done = await runProgram('nova-manage', ['--config-file', conf, ...argv], {
      enter: walk.host.enter,
    });
    if (done.code !== 0) throw new Error(`nova-manage ${argv.join(' ')}: ${done.stdout}${done.stderr}`);
    return done.stdout;
  };

  it('creates the database and starts the nova services, each a process of its own', async () => {
    conf = await walk.configure('nova.conf', novaConf(walk, options.rabbitPort()));
    expect(await manage('db', 'sync')).toBe('');
    await walk.start('nova-api', conf, [8774, 8775]);
    for (const daemon of DAEMONS) await walk.start(`nova-${daemon}`, conf);
    await walk.start('nova-consoleauth', conf);
    await walk.start('nova-novncproxy', conf, [6080]);
    const services = await eventually('all services report', 30, async () => {
      const printed = await manage('service', 'list');
      return DAEMONS.every(name => new RegExp(`^nova-${name} .*:-\\)`, 'm').test(printed))
        ? printed
        : undefined;
    });
    const lines = normalise(services).split('\n');
    expect(lines[0]).toBe(
      'Binary           Host                                 Zone             Status     State Updated_At',
    );
    for (const daemon of DAEMONS) {
      expect(lines).toContain(
        `${`nova-${daemon}`.padEnd(16)} ${NODE.padEnd(36)} ${'nova'.padEnd(16)} ${'enabled'.padEnd(10)} :-)   ${'D'.repeat(19)}`,
      );
    }
  });

  it.skipIf(!needs('a kernel without device-mapper', !existsSync(DEVICE_MAPPER)))(
    'says what keeps the volumes of its nova.conf from being had on this kernel',
    async () => {
      const words = ['--config-file', conf];
      const [ended, doctor] = await Promise.all([
        runProgram('nova-volume', words, { enter: walk.host.enter }),
        runProgram('folsom', ['doctor', conf, '--state-dir', walk.dir], { enter: walk.host.enter }),
      ]);
      expect([ended.code, ended.stderr]).toEqual([
        1,
        expect.stringContaining('LVM does not work on this host: its kernel has no device-mapper'),
      ]);
      expect(doctor.stdout).toContain('asks for volumes on LVM (nova.volume.driver.ISCSIDriver)');
      // Nobody serves what nobody can have.
      expect(await manage('service', 'list')).not.toContain('nova-volume');
    },
  );

  it('creates the network and registers the service', async () => {
    expect(await manage('network', 'create', '--help')).toContain('--fixed_range_v4');
    await manage(
      'network',
      'create',
      '--label=private',
      '--multi_host=T',
      '--fixed_range_v4=172.16.200.0/24',
      '--bridge_interface=eth0',
      '--bridge=br100',
      '--num_networks=1',
      '--network_size=256',
    );
    expect(
      normalise(await manage('network', 'list'))
        .split('\n')
        .slice(-2)
        .join('\n'),
    ).toBe(
      normalise(`
id   \tIPv4              \tIPv6           \tstart address  \tDNS1           \tDNS2           \tVlanID         \tproject        \tuuid           
1    \t172.16.200.0/24   \tNone           \t172.16.200.2   \t8.8.4.4        \tNone           \tNone           \tNone           \tc62364cb-9991-488b-ac6e-13f815f62c18`),
    );
    const service = await walk.shell.prints(
      ['keystone', 'service-create', '--name=nova', '--type=compute', '--description=Nova Compute Service'],
      `
+-------------+----------------------------------+
|   Property  |              Value               |
+-------------+----------------------------------+
| description |       Nova Compute Service       |
|      id     | 2ac437bbfc0641deb65a569b2ce9bd33 |
|     name    |               nova               |
|     type    |             compute              |
+-------------+----------------------------------+`,
    );
    const url = `http://${HOST}:8774/v1.1/$(tenant_id)s`;
    await walk.shell.prints(
      [
        'keystone',
        'endpoint-create',
        '--service_id',
        service.id!,
        ...['--publicurl', url, '--adminurl', url, '--internalurl', url],
      ],
      `
+-------------+---------------------------------------------+
|   Property  |                    Value                    |
+-------------+---------------------------------------------+
|   adminurl  | http://172.16.200.6:8774/v1.1/$(tenant_id)s |
|      id     |       12ab1ca2cf5c4497a34476894efc2122      |
| internalurl | http://172.16.200.6:8774/v1.1/$(tenant_id)s |
|  publicurl  | http://172.16.200.6:8774/v1.1/$(tenant_id)s |
|    region   |                  regionOne                  |
|  service_id |       2ac437bbfc0641deb65a569b2ce9bd33      |
+-------------+---------------------------------------------+`,
    );
  });

  it('opens the default security group and takes a key pair', async () => {
    await walk.shell.prints(
      ['nova', 'secgroup-list'],
      `
+---------+-------------+
| Name    | Description |
+---------+-------------+
| default | default     |
+---------+-------------+`,
    );
    const rule = (protocol: string, from: string, to: string) => `
+-------------+-----------+---------+-----------+--------------+
| IP Protocol | From Port | To Port | IP Range  | Source Group |
+-------------+-----------+---------+-----------+--------------+
| ${protocol.padEnd(11)} | ${from.padEnd(9)} | ${to.padEnd(7)} | 0.0.0.0/0 |              |
+-------------+-----------+---------+-----------+--------------+`;
    const add = ['nova', 'secgroup-add-rule', 'default'];
    await walk.shell.prints([...add, 'tcp', '22', '22', '0.0.0.0/0'], rule('tcp', '22', '22'));
    await walk.shell.prints([...add, 'icmp', '-1', '-1', '0.0.0.0/0'], rule('icmp', '-1', '-1'));

    const key = join(walk.dir, 'id_rsa');
    await walk.host.exec(['ssh-keygen', '-q', '-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '', '-f', key], {
      allowedCodes: [0],
    });
    await walk.shell.run(['nova', 'keypair-add', '--pub-key', `${key}.pub`, 'testkey']);
    // What ssh-keygen printed in 2012.
    const shown = (await walk.host.exec(['ssh-keygen', '-l', '-E', 'md5', '-f', `${key}.pub`])).stdout;
    const fingerprint = shown.split(' ')[1]!.replace('MD5:', '');
    const line = `+---------+${'-'.repeat(fingerprint.length + 2)}+`;
    await walk.shell.prints(
      ['nova', 'keypair-list'],
      [
        line,
        `| Name    | ${'Fingerprint'.padEnd(fingerprint.length)} |`,
        line,
        `| testkey | ${fingerprint} |`,
        line,
      ].join('\n'),
    );
  });

  it('lists flavors and images and creates a flavor', async () => {
    await walk.shell.prints(
      ['nova', 'flavor-list'],
      `
+----+-----------+-----------+------+-----------+------+-------+-------------+-----------+-------------+
| ID | Name      | Memory_MB | Disk | Ephemeral | Swap | VCPUs | RXTX_Factor | Is_Public | extra_specs |
+----+-----------+-----------+------+-----------+------+-------+-------------+-----------+-------------+
| 1  | m1.tiny   | 512       | 0    | 0         |      | 1     | 1.0         | True      | {}          |
| 2  | m1.small  | 2048      | 20   | 0         |      | 1     | 1.0         | True      | {}          |
| 3  | m1.medium | 4096      | 40   | 0         |      | 2     | 1.0         | True      | {}          |
| 4  | m1.large  | 8192      | 80   | 0         |      | 4     | 1.0         | True      | {}          |
| 5  | m1.xlarge | 16384     | 160  | 0         |      | 8     | 1.0         | True      | {}          |
+----+-----------+-----------+------+-----------+------+-------+-------------+-----------+-------------+`,
    );
    await walk.shell.prints(
      ['nova', 'flavor-create', '--swap', '256', 'flavor.cirros', '6', '128', '2', '2'],
      `
+----+---------------+-----------+------+-----------+------+-------+-------------+-----------+-------------+
| ID | Name          | Memory_MB | Disk | Ephemeral | Swap | VCPUs | RXTX_Factor | Is_Public | extra_specs |
+----+---------------+-----------+------+-----------+------+-------+-------------+-----------+-------------+
| 6  | flavor.cirros | 128       | 2    | 0         | 256  | 2     | 1           | True      | {}          |
+----+---------------+-----------+------+-----------+------+-------+-------------+-----------+-------------+`,
    );
    await walk.shell.prints(
      ['nova', 'image-list'],
      `
+--------------------------------------+---------------------+--------+--------+
| ID                                   | Name                | Status | Server |
+--------------------------------------+---------------------+--------+--------+
| 16bfa875-8e0a-4cc3-8041-e8c64cca9f5e | cirros-0.3.0-i386   | ACTIVE |        |
| 9f92df26-8fd3-42b9-a00c-b9fb2c73ed21 | cirros-0.3.0-x86_64 | ACTIVE |        |
+--------------------------------------+---------------------+--------+--------+`,
      { unordered: true },
    );
  });

  it('boots a guest that becomes ACTIVE with its address', async () => {
    const images = rowsOf(await walk.shell.run(['nova', 'image-list']));
    const image = images.find(row => row.Name === 'cirros-0.3.0-x86_64')!.ID!;
    const boot = ['nova', 'boot', '--flavor', '6', '--image', image, '--key_name', 'testkey'];
    const printed = await walk.shell.run([...boot, '--security_group', 'default', 'cirros1']);
    // The name counts up, the password is random: widths stay.
    const settled = printed
      .replace(/instance-[0-9a-f]{8}/, 'instance-00000007')
      .replace(/(adminPass +\| )[A-Za-z0-9]{12}/, '$1p4MSM6Q2osKP');
    expect(normalise(settled)).toBe(
      normalise(`
+-------------------------------------+--------------------------------------+
| Property                            | Value                                |
+-------------------------------------+--------------------------------------+
| OS-DCF:diskConfig                   | MANUAL                               |
| OS-EXT-SRV-ATTR:host                | None                                 |
| OS-EXT-SRV-ATTR:hypervisor_hostname | None                                 |
| OS-EXT-SRV-ATTR:instance_name       | instance-00000007                    |
| OS-EXT-STS:power_state              | 0                                    |
| OS-EXT-STS:task_state               | scheduling                           |
| OS-EXT-STS:vm_state                 | building                             |
| accessIPv4                          |                                      |
| accessIPv6                          |                                      |
| adminPass                           | p4MSM6Q2osKP                         |
| config_drive                        |                                      |
| created                             | 2013-05-26T07:56:26Z                 |
| flavor                              | flavor.cirros                        |
| hostId                              |                                      |
| id                                  | 176c8369-b546-47f1-937f-6e657b793150 |
| image                               | cirros-0.3.0-x86_64                  |
| key_name                            | testkey                              |
| metadata                            | {}                                   |
| name                                | cirros1                              |
| progress                            | 0                                    |
| security_groups                     | [{u'name': u'default'}]              |
| status                              | BUILD                                |
| tenant_id                           | b0b356e2c68f4ab29a1556a01aad022d     |
| updated                             | 2013-05-26T07:56:27Z                 |
| user_id                             | fd97c9eba1974010a147e95d441d9c3a     |
+-------------------------------------+--------------------------------------+`),
    );
    walk.ids.server = /\| id +\| ([0-9a-f-]{36}) \|/.exec(printed)![1]!;
    const list = await eventually('the guest becomes ACTIVE', 60, async () => {
      const text = await walk.shell.run(['nova', 'list']);
      if (text.includes('ERROR')) throw new Error(await walk.shell.run(['nova', 'show', walk.ids.server!]));
      return text.includes('ACTIVE') ? text : undefined;
    });
    expect(normalise(list)).toBe(
      normalise(`
+--------------------------------------+---------+--------+----------------------+
| ID                                   | Name    | Status | Networks             |
+--------------------------------------+---------+--------+----------------------+
| 176c8369-b546-47f1-937f-6e657b793150 | cirros1 | ACTIVE | private=172.16.200.2 |
+--------------------------------------+---------+--------+----------------------+`),
    );
  });

  it('shows its console log and lets us in without a password', async () => {
    const log = await eventually(
      'the guest has booted',
      120,
      async () => {
        const text = await walk.shell.run(['nova', 'console-log', 'cirros1']);
        return /instance-id: i-[0-9a-f]{8}/.test(text) && text.includes('login:') ? text : undefined;
      },
      POST_PAUSE_MS,
    );
    expect(log).toContain('172.16.200.2');
    const said = await eventually('ssh answers', 60, async () => {
      const ssh = await walk.host.exec(
        [
          'ssh',
          ...[
            '-i',
            join(walk.dir, 'id_rsa'),
            '-l',
            'cirros',
            '-o',
            'BatchMode=yes',
            '-o',
            'ConnectTimeout=5',
          ],
          ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null'],
          '172.16.200.2',
          'cat /proc/swaps; hostname',
        ],
        { timeoutMs: 20_000 },
      );
      return ssh.code === 0 ? ssh.stdout : undefined;
    });
    expect(said).toContain('cirros1');
  });

  it('shows its screen in a browser', async () => {
    const printed = await walk.shell.run(['nova', 'get-vnc-console', 'cirros1', 'novnc']);
    const url = /http:\/\/\S+/.exec(printed)![0];
    expect(url).toMatch(/^http:\/\/172\.16\.200\.6:6080\/vnc_auto\.html\?token=[0-9a-f-]{36}$/);
    const screen = await lookAtScreen(walk, url, 60);
    expect(screen.width).toBeGreaterThanOrEqual(640);
    expect(screen.height).toBeGreaterThanOrEqual(400);
    const kept = fileURLToPath(new URL('../../.cache/walkthrough-screen.png', import.meta.url));
    await writeFile(kept, screen.screenshot);
    // A page of somebody else must not reach the guest, even with the token.
    const foreign = await walk.host.exec([
      'curl',
      ...['-s', '-i', '-N', '-m', '5'],
      ...websocketHeaders('http://evil.example'),
      websocketUrl(url),
    ]);
    expect(foreign.stdout).toMatch(/^HTTP\/1\.1 403/);
  });

  it('keeps new guests away from a disabled host', async () => {
    await manage('service', 'disable', `--host=${NODE}`, '--service=nova-compute');
    expect(await manage('service', 'list')).toMatch(/^nova-compute .*disabled/m);
    const images = rowsOf(await walk.shell.run(['nova', 'image-list']));
    await walk.shell.run(['nova', 'boot', '--flavor', '6', '--image', images[0]!.ID!, 'refused']);
    await eventually('the boot is refused', 30, async () => {
      const row = rowsOf(await walk.shell.run(['nova', 'list'])).find(server => server.Name === 'refused');
      return row?.Status === 'ERROR' ? row : undefined;
    });
    expect(await walk.shell.run(['nova', 'show', 'refused'])).toContain('NoValidHost');
    await walk.shell.run(['nova', 'delete', 'refused']);
    await manage('service', 'enable', `--host=${NODE}`, '--service=nova-compute');
  });

  it('deletes the guest and leaves nothing behind', async () => {
    await walk.shell.run(['nova', 'delete', 'cirros1']);
    await eventually('the guest is gone', 60, async () => {
      const rows = rowsOf(await walk.shell.run(['nova', 'list']));
      return rows.length === 0 ? true : undefined;
    });
    const domains = await walk.host.exec(['virsh', '-c', 'qemu:///system', 'list', '--all', '--name']);
    expect(domains.stdout.trim()).toBe('');
    const links = await walk.host.exec(['ip', '-o', 'link', 'show']);
    expect(links.stdout).not.toMatch(/vnet|tap/);
    const rules = await walk.host.exec(['iptables-save']);
    expect(rules.stdout).not.toContain('172.16.200.2/32');
    const disks = await walk.host.exec(['ls', join(walk.dir, 'nova', 'instances')]);
    expect(disks.stdout.split('\n').filter(name => name.startsWith('instance-'))).toEqual([]);
    const hosts = await readFile(join(walk.dir, 'nova', 'networks', 'nova-br100.conf'), 'utf8');
    expect(hosts.trim()).toBe('');
  });
}

/** Where noVNC opens its websocket for the page at `url`. */
const websocketUrl = (url: string): string => {
  const page = new URL(url);
  return `http://${page.host}/websockify?token=${page.searchParams.get('token')}`;
};

const websocketHeaders = (origin: string): string[] =>
  [
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Origin: ${origin}`,
  ].flatMap(header => ['-H', header]);
