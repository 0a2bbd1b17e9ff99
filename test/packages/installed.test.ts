import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { needs } from '@folsom/core/testing';
import { ALL_PACKAGES } from '@folsom/deploy/packages/catalogue';
import { buildPackage } from '@folsom/deploy/packages/debian';
import { buildTarball } from '@folsom/deploy/packages/tarball';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { bootMachine, cannotBoot, type Machine } from './machine.ts';

const BUILD_MS = 900_000;
const TEST_MS = 900_000;
const OLD = '0.0.9';
const NEW = '0.1.0';
const cannot = cannotBoot();

describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW) || !needs(cannot ?? 'a machine', cannot === undefined))(
  'packages on a machine of their own',
  { timeout: TEST_MS },
  () => {
    const folder = mkdtempSync(join(tmpdir(), 'folsom-packages-'));
    let machine: Machine;

    beforeAll(async () => {
      copyFileSync(
        fileURLToPath(new URL('first-guest.mjs', import.meta.url)),
        join(folder, 'first-guest.mjs'),
      );
      const scratch = mkdtempSync(join(tmpdir(), 'folsom-package-'));
      try {
        for (const version of [OLD, NEW]) {
          const options = { version, scratch: join(scratch, version), out: folder, epoch: '1767225600' };
          for (const { name } of ALL_PACKAGES) await buildPackage(name, options);
          if (version === NEW) await buildTarball(options);
          rmSync(options.scratch, { recursive: true });
        }
      } finally {
        rmSync(scratch, { recursive: true, force: true });
      }
      machine = await bootMachine(folder);
    }, BUILD_MS);

    afterAll(async () => {
      await machine?.stop();
      rmSync(folder, { recursive: true, force: true });
    }, TEST_MS);

    const guest = (what: string) =>
      JSON.parse(
        machine.run(
          `. /var/lib/folsom/openrc; /opt/folsom/node_modules/.bin/node /packages/first-guest.mjs ${what}`,
        ),
      ) as { status: string; id: string };
    /** Process and start time of the guest's qemu. */
    const qemu = () => machine.run('ps -o pid=,lstart= -C qemu-system-x86').trim();
    const cloudIsReady = () =>
      expect
        .poll(
          () =>
            machine.succeeds(
              'journalctl -u folsom --no-pager -o cat _SYSTEMD_INVOCATION_ID="$(systemctl show -p InvocationID --value folsom)" | grep -q "ready in"',
            ),
          {
            timeout: 300_000,
            interval: 1_000,
          },
        )
        .toBe(true);

    it('installs users, folders, units under both names and programs, and starts nothing', () => {
      machine.run(`dpkg -i /packages/*_${OLD}_*.deb`);
      for (const user of ['keystone', 'glance', 'nova', 'swift'])
        expect(
          machine.run(`stat -c %U:%G /var/log/${user} 2>/dev/null || stat -c %U:%G /var/lib/${user}`),
        ).toBe(`${user}:${user}\n`);
      expect(machine.run('stat -c "%a %U:%G" /etc/nova/nova.conf /etc/sudoers.d/folsom-nova')).toBe(
        '640 root:nova\n440 root:root\n',
      );
      expect(machine.run('nova-manage version')).toContain('2012.2.4');
      expect(machine.run('dpkg --verify folsom-common folsom-nova-common folsom-keystone')).toBe('');
      expect(
        machine.run(
          'systemctl list-units --plain --no-legend --state=active "openstack-*" "nova*" folsom.service',
        ),
      ).toBe('');
      machine.run('for file in /etc/logrotate.d/folsom-*; do logrotate -d $file; done');
      machine.run('systemd-analyze verify /usr/lib/systemd/system/openstack-*.service');
    });

    it('a daemon runs as its user by its unit, with the name of other distributions', async () => {
      machine.run('su -s /bin/sh keystone -c "keystone-manage db_sync"');
      machine.run('systemctl enable --now openstack-keystone');
      const answers = "fetch('http://127.0.0.1:5000/').then(() => process.exit(0), () => process.exit(1))";
      await expect
        .poll(() => machine.succeeds(`/opt/folsom/node_modules/.bin/node -e "${answers}"`), {
          timeout: 120_000,
          interval: 1_000,
        })
        .toBe(true);
      expect(
        machine.run('ps -o user= -p $(systemctl show -p MainPID --value openstack-keystone)').trim(),
      ).toBe('keystone');
      machine.run('systemctl disable --now openstack-keystone');
    });

    it('an upgrade keeps guests running and the configuration, and starts what ran', async () => {
      machine.run('systemctl start folsom');
      await cloudIsReady();
      expect(guest('boot')).toMatchObject({ status: 'ACTIVE' });
      const before = qemu();
      expect(before.split('\n')).toHaveLength(1);
      machine.run('openstack-config --set /etc/nova/nova.conf DEFAULT quota_instances 77');
      machine.run(`dpkg -i --force-confold /packages/*_${NEW}_*.deb`);
      expect(machine.run('dpkg-query -s folsom-common')).toContain(`Version: ${NEW}\n`);
      expect(machine.run('openstack-config --get /etc/nova/nova.conf DEFAULT quota_instances')).toBe('77\n');
      await cloudIsReady();
      expect(guest('show')).toMatchObject({ status: 'ACTIVE' });
      expect(qemu()).toBe(before);
    });

    it('removal ends services and not guests; purge takes configuration and logs, and no data', () => {
      const before = qemu();
      const all = ALL_PACKAGES.map(({ name }) => name).join(' ');
      machine.run(`dpkg --remove ${all}`);
      expect(qemu()).toBe(before);
      expect(machine.succeeds('systemctl is-active folsom')).toBe(false);
      expect(
        machine.succeeds('ls /opt/folsom || ls /usr/bin/nova-api || ls /usr/lib/systemd/system/openstack-*'),
      ).toBe(false);
      expect(machine.run('grep quota_instances /etc/nova/nova.conf')).toContain('77');
      machine.run(`dpkg --purge ${all}`);
      expect(
        machine.run('ls -d /etc/nova /etc/keystone /var/log/nova /var/log/keystone 2>/dev/null || true'),
      ).toBe('');
      expect(machine.run('ls /var/lib/folsom')).toContain('openrc');
    });

    it('the archive installs, upgrades, keeps configuration and removes itself', () => {
      machine.run(
        `mkdir /root/a && tar -C /root/a --strip-components=1 -xzf /packages/folsom-${NEW}-*.tar.gz`,
      );
      expect(machine.run('/root/a/install')).toContain(`Folsom ${NEW} is installed`);
      expect(machine.run('nova-manage version')).toContain('2012.2.4');
      expect(machine.run('stat -c "%a %U:%G" /etc/nova/nova.conf')).toBe('640 root:nova\n');
      machine.run('openstack-config --set /etc/nova/nova.conf DEFAULT quota_instances 78');
      machine.run('systemctl start openstack-nova-novncproxy');
      // An older version had a file that this one has not.
      machine.run(
        'touch /usr/bin/nova-gone; cd /opt/folsom/share; (cat files.list; echo /usr/bin/nova-gone) | LC_ALL=C sort > new; mv new files.list',
      );
      machine.run('/root/a/install');
      expect(machine.succeeds('ls /usr/bin/nova-gone')).toBe(false);
      expect(machine.run('openstack-config --get /etc/nova/nova.conf DEFAULT quota_instances')).toBe('78\n');
      expect(machine.succeeds('systemctl is-active openstack-nova-novncproxy')).toBe(true);
      machine.run('/opt/folsom/uninstall --purge');
      expect(
        machine.run(
          'ls -d /opt/folsom /usr/bin/nova-* /etc/nova /etc/keystone /usr/lib/systemd/system/openstack-* 2>/dev/null || true',
        ),
      ).toBe('');
    });
  },
);
