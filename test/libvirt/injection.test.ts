import { needs } from '@folsom/core/testing';
import { SLOW } from '@folsom/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cannotRun,
  type HostUnderTest,
  hostUnderTest,
  letSshInto,
  openSsh,
  TEST_MS,
} from './host-under-test.ts';
import { inGuest } from './inside.ts';
import { active } from './killed.ts';

const PASSWORD = "of its root: 'quoted' $HOME é";
const FILES = [
  ['/etc/motd.d/deep/er/hello', 'from outside\n'],
  // One that the image has.
  ['/etc/issue', 'another greeting\n'],
  ['/root/lines', 'é\n\n  spaces and a tab\t\n'],
];

/** Two guests on emulated processors: `npm run test:slow`. */
describe.skipIf(!needs('FOLSOM_SLOW=1', SLOW) || cannotRun() !== undefined)(
  'what is written into the disks of real guests',
  { timeout: TEST_MS },
  () => {
    let host: HostUnderTest;
    let key: { file: string; text: string };
    /** By the image's form: a filesystem alone, and a disk with a partition. */
    const guests = new Map<string, string>();

    beforeAll(async () => {
      host = await hostUnderTest(`inj${process.pid % 10000}`);
      // As the walk-through has it: whichever partition there is.
      const extra = { libvirt_inject_password: true, libvirt_inject_key: true, libvirt_inject_partition: -1 };
      await host.start({ extra });
      const network = { label: 'private', cidr: '10.77.0.0/24', bridge: 'br100' };
      await host.rpc('network', 'create_networks', network);
      key = await openSsh(host);
      const written = { injected_files: FILES, admin_password: PASSWORD };
      for (const form of ['ami', 'disk'])
        guests.set(form, await host.boot(form, { key_name: 'k', key_data: key.text }, written));
      await letSshInto(host, [...guests.values()]);
      for (const uuid of guests.values()) await host.state(uuid, active);
    }, TEST_MS);
    afterAll(async () => {
      await host?.remove();
    });

    it.each(['ami', 'disk'])('is there in a guest of the form %s, and after its next boot', async form => {
      const uuid = guests.get(form)!;
      const inside = (command: string) => inGuest(host, key, uuid, command, 'root');
      const look = async () => {
        for (const [path, text] of FILES) {
          expect(Buffer.from(await inside(`base64 ${path}`), 'base64').toString()).toBe(text);
          expect(await inside(`stat -c %u:%g ${path}`)).toBe('0:0');
        }
        const keys = await inside('cat /root/.ssh/authorized_keys');
        expect(keys).toContain(`# The following ssh key was injected by Nova\n${key.text.trim()}`);
        expect(await inside('stat -c %a /root/.ssh/authorized_keys /etc/shadow')).toBe('600\n600');
        // The password lets root in, another does not, and the image's own user is as before.
        const quoted = PASSWORD.replaceAll("'", "'\\''");
        const login = (password: string, user: string) =>
          inside(
            `DROPBEAR_PASSWORD='${password}' timeout 60 dbclient -y ${user}@127.0.0.1 whoami 2>/dev/null </dev/null || echo refused`,
          );
        expect(await login(quoted, 'root')).toBe('root');
        expect(await login('wrong', 'root')).toBe('refused');
        expect(await login('cubswin:)', 'cirros')).toBe('cirros');
      };
      await look();
      await inside('echo grown >> /etc/motd.d/deep/er/hello; sync');
      await host.db.knex('instances').where({ uuid }).update({ task_state: 'rebooting' });
      await host.rpc('compute', 'reboot_instance', {
        instance: await host.instance(uuid),
        reboot_type: 'HARD',
      });
      await host.state(uuid, active);
      // What was written once is the guest's, and is not written anew.
      expect(await inside('cat /etc/motd.d/deep/er/hello')).toBe('from outside\ngrown');
    });
  },
);
