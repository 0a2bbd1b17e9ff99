import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { must } from '@folsom/core';
import { run } from '@folsom/host/run';
import { withOption } from '../ini-edit.ts';
import type { LabPlan, Place } from './place.ts';
import { FIXED_RANGE, type HostPlan, STATE } from './plan.ts';
import { SERVER_PORTS } from './servers.ts';
import { inside, type Space } from './spaces.ts';

/** Real configuration files, where Folsom's programs look for them, made by what makes those of docker-compose.yml. */

const CONFIGURE = fileURLToPath(new URL('../containers/configure.mjs', import.meta.url));
export const SWIFT_DIR = '/etc/swift';
export const DEVICES_DIR = '/srv/node';
const STORAGE_CONF = ['account-server.conf', 'container-server.conf', 'object-server.conf'];

/** Where each file goes. */
const TARGETS: Record<string, string> = {
  'keystone.conf': '/etc/keystone/keystone.conf',
  'glance-api.conf': '/etc/glance/glance-api.conf',
  'glance-registry.conf': '/etc/glance/glance-registry.conf',
  'nova.conf': '/etc/nova/nova.conf',
  'swift.conf': `${SWIFT_DIR}/swift.conf`,
  'proxy-server.conf': `${SWIFT_DIR}/proxy-server.conf`,
  ...Object.fromEntries(STORAGE_CONF.map(name => [name, `${SWIFT_DIR}/${name}`])),
};

export interface Secrets {
  password: string;
  adminToken: string;
}

type Change = [section: string, option: string, value: string];

/** What the lab's hosts have otherwise than containers. */
function changes(lab: LabPlan, host: HostPlan): Record<string, Change[]> {
  const controller = must(lab.plan[0], 'there is a controller');
  const network = must(lab.plan[Math.min(1, lab.plan.length - 1)], 'there is a host');
  const rabbit = lab.plan.filter(({ servers }) => servers.includes('rabbitmq'));
  const brokers: Change[] =
    rabbit.length > 1
      ? [
          ['DEFAULT', 'rabbit_hosts', rabbit.map(({ name }) => `${name}:${SERVER_PORTS.rabbitmq}`).join(',')],
          ['DEFAULT', 'rabbit_quorum_queues', 'True'],
        ]
      : [];
  const api = lab.plan.filter(({ services }) => services.includes('glance-api'));
  const nova: Change[] = [
    ...brokers,
    ['DEFAULT', 'rabbit_durable_queues', 'True'],
    ['DEFAULT', 'enabled_apis', 'ec2,osapi_compute'],
    ['DEFAULT', 'glance_api_servers', api.map(({ name }) => `${name}:9292`).join(',')],
    ['DEFAULT', 'flat_interface', 'eth1'],
    ['DEFAULT', 'public_interface', 'eth0'],
    ['DEFAULT', 'fixed_range', FIXED_RANGE],
    ['DEFAULT', 'metadata_host', network.address],
    ['DEFAULT', 'vncserver_listen', host.address],
    ['DEFAULT', 'vncserver_proxyclient_address', host.address],
    ['DEFAULT', 'api_rate_limit', 'False'],
    ['DEFAULT', 'libvirt_type', 'qemu'],
    ['DEFAULT', 'libvirt_inject_key', 'False'],
    // What the lab's guest image has a driver for.
    ['DEFAULT', 'libvirt_use_virtio_for_bridges', 'True'],
    ['DEFAULT', 'allow_resize_to_same_host', 'True'],
    ['DEFAULT', 'novncproxy_base_url', `http://${controller.address}:6080/vnc_auto.html`],
    ['DEFAULT', 'my_ip', host.address],
    // What is away is noticed, and what was cut short is taken up, within a demonstration.
    ['DEFAULT', 'report_interval', '3'],
    ['DEFAULT', 'service_down_time', '20'],
    ['DEFAULT', 'periodic_interval', '10'],
  ];
  const storage: Change[] = [
    ['DEFAULT', 'devices', DEVICES_DIR],
    ['DEFAULT', 'swift_dir', SWIFT_DIR],
  ];
  return {
    'keystone.conf': [...brokers, ['DEFAULT', 'rabbit_durable_queues', 'True']],
    'nova.conf': nova,
    'proxy-server.conf': [['DEFAULT', 'swift_dir', SWIFT_DIR]],
    ...Object.fromEntries(STORAGE_CONF.map(name => [name, storage])),
  };
}

/** Writes what a host is told; the first call makes the passwords. */
export async function configureHost(place: Place, lab: LabPlan, host: HostPlan, space: Space): Promise<void> {
  const conf = place.host(host.name).conf;
  const controller = must(lab.plan[0], 'there is a controller');
  const settings: Record<string, string> = {
    state: STATE,
    mysqlAddress: `${controller.name}:${SERVER_PORTS.mariadb}`,
    rabbitHost: controller.name,
    redis: `${controller.name}:${SERVER_PORTS.redis}`,
    keystone: controller.name,
    glance: controller.name,
    registry: controller.name,
    storageBind: '0.0.0.0',
    computeDriver: lab.driver === 'fake' ? 'fake.FakeDriver' : 'libvirt.LibvirtDriver',
    fakeNetwork: lab.driver === 'fake' ? 'True' : 'False',
    hostIp: controller.address,
  };
  await run(
    [
      process.execPath,
      CONFIGURE,
      ...['--out', conf, '--env', secretsFile(place), '--host-ip', controller.address],
      ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ],
    { timeoutMs: 30_000 },
  );
  const own = changes(lab, host);
  for (const [name, target] of Object.entries(TARGETS)) {
    let text = readFileSync(join(conf, name), 'utf8');
    for (const [section, option, value] of own[name] ?? []) text = withOption(text, section, option, value);
    mkdirSync(inside(space, dirname(target)), { recursive: true });
    writeFileSync(inside(space, target), text, { mode: 0o600 });
  }
  mkdirSync(inside(space, DEVICES_DIR), { recursive: true });
}

const secretsFile = (place: Place): string => join(place.dir, 'secrets.env');

/** What {@link configureHost} has made up. */
export function readSecrets(place: Place): Secrets {
  const text = readFileSync(secretsFile(place), 'utf8');
  const value = (name: string) =>
    must(new RegExp(`^${name}=(.+)$`, 'm').exec(text)?.[1], `${name} stands in the secrets`);
  return { password: value('FOLSOM_PASSWORD'), adminToken: value('FOLSOM_ADMIN_TOKEN') };
}

/** The statements that make databases and users, as configured. */
export const databaseSql = (place: Place, host: HostPlan): string =>
  readFileSync(join(place.host(host.name).conf, 'databases.sql'), 'utf8');
