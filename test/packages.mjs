// What the suites need of the machine, as Debian packages. As root on Debian or Ubuntu `npm test` installs what is missing; elsewhere
// it says what is missing, and the suites that need it are left out, aloud. Under CI everything must be there.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';

/** Package → what is tested with it. */
const PACKAGES = {
  'rabbitmq-server': 'the bus between processes',
  'mariadb-server': 'the databases of several hosts',
  'redis-server': 'shared caches',
  memcached: 'shared caches',
  'libvirt-daemon-system': 'real guests',
  'libvirt-clients': 'real guests',
  'qemu-system-x86': 'real guests',
  'qemu-utils': 'disks of guests',
  'qemu-block-extra': 'volumes of guests over iSCSI',
  tgt: 'volumes of guests over iSCSI',
  'dnsmasq-base': 'addresses of guests',
  slapd: 'names of addresses in LDAP',
  iptables: 'security groups',
  ebtables: 'security groups',
  iproute2: 'hosts as network namespaces',
  xfsprogs: 'devices of the object store',
  rsync: 'replication of the object store',
  attr: 'devices of the object store',
  'busybox-static': 'the image of the first guest',
  'dropbear-bin': 'the image of the first guest',
  'openssh-client': 'keys, and logging in to guests',
  cpio: 'the image of the first guest',
  fdisk: 'the image of the first guest',
  e2fsprogs: 'the image of the first guest',
  openssl: 'certificates',
  'python3-openstackclient': "today's openstack command",
  chromium: 'consoles in a browser',
  prometheus: 'alerts and the dashboard',
};
const POLICY = '/usr/sbin/policy-rc.d';

const installed = name =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the format of dpkg-query
  spawnSync('dpkg-query', ['-W', '-f=${Status}', name], { encoding: 'utf8' }).stdout?.includes(
    'ok installed',
  );

/** Installs what is missing where it can; returns what is still missing, as `package: what is not tested`. */
export function providePackages() {
  const debian = existsSync('/usr/bin/dpkg-query');
  let missing = Object.keys(PACKAGES).filter(name => !(debian && installed(name)));
  if (missing.length > 0 && debian && process.getuid() === 0) {
    console.log(`Installing what the suites need of Debian (once): ${missing.join(' ')}`);
    install(missing);
    missing = missing.filter(name => !installed(name));
  }
  return missing.map(name => `${name} (${PACKAGES[name]})`);
}

function install(names) {
  // Packaged services must not start by themselves: the tests start throw-away ones.
  const ours = !existsSync(POLICY);
  if (ours) {
    writeFileSync(POLICY, '#!/bin/sh\nexit 101\n');
    chmodSync(POLICY, 0o755);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...words) =>
    spawnSync('apt-get', ['-q', '-y', ...words], { env, stdio: ['ignore', 'pipe', 'pipe'] });
  // A mirror may fail for a moment.
  for (let tries = 0; tries < 3; tries++) {
    apt('update');
    if (apt('install', '--no-install-recommends', ...names).status === 0) break;
  }
  if (ours) rmSync(POLICY);
}
