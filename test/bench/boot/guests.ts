import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Client, median } from './client.ts';

const execute = promisify(execFile);
const ROUNDS = 1;
const EPHEMERAL = { 'OS-FLV-EXT-DATA:ephemeral': 0 };
const LIMIT_MS = 120_000;

interface Times {
  /** Milliseconds from POST, or from the call of virsh. */
  active: number;
  ssh: number;
}

/** Boots guests through the cloud and then, with the same domain on a fresh disk, by virsh alone. */
export async function measureGuests(nova: Client, dir: string): Promise<void> {
  const keys = await mkdtemp(join(tmpdir(), 'bench-key-'));
  const key = join(keys, 'key');
  await execute('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]);
  const keypair = { name: 'bench', public_key: await readFile(`${key}.pub`, 'utf8') };
  await nova.call('POST', 'os-keypairs', { keypair });
  const { security_groups: groups } = await nova.call<{ security_groups: { id: number; name: string }[] }>(
    'GET',
    'os-security-groups',
  );
  await nova.call('POST', 'os-security-group-rules', {
    security_group_rule: {
      parent_group_id: groups.find(group => group.name === 'default')!.id,
      ip_protocol: 'tcp',
      from_port: 22,
      to_port: 22,
      cidr: '0.0.0.0/0',
    },
  });
  await nova.call('POST', 'flavors', {
    flavor: { id: '77', name: 'bench', ram: 128, vcpus: 1, disk: 0, swap: 0, rxtx_factor: 1, ...EPHEMERAL },
  });
  const { images } = await nova.call<{ images: { id: string; name: string }[] }>('GET', 'images');
  try {
    for (const name of ['guest-ami', 'guest']) {
      const image = images.find(one => one.name === name)!.id;
      const cloud: Times[] = [];
      const bare: Times[] = [];
      for (let round = 0; round <= ROUNDS; round++) {
        const both = await oneRound(nova, image, key, join(dir, 'nova', 'instances'));
        if (round === 0) continue; // fills the image cache
        cloud.push(both.cloud);
        bare.push(both.bare);
      }
      for (const [what, times] of [
        [`${name} by POST servers`, cloud],
        [`${name} by bare virsh`, bare],
      ] as const) {
        const s = (of: keyof Times) => `${(median(times.map(one => one[of])) / 1000).toFixed(2)} s`;
        console.log(`${what.padEnd(26)} runs after ${s('active')}, ssh after ${s('ssh')}`);
      }
    }
  } finally {
    await rm(keys, { recursive: true });
  }
}

async function oneRound(
  nova: Client,
  imageRef: string,
  key: string,
  instances: string,
): Promise<{ cloud: Times; bare: Times }> {
  let from = performance.now();
  const { server } = await nova.call<{ server: { id: string } }>('POST', 'servers', {
    server: { name: 'bench', imageRef, flavorRef: '77', key_name: 'bench' },
  });
  const active = await nova.until(server.id, 'ACTIVE', from, 10);
  const shown = await nova.call<{
    server: { addresses: Record<string, { addr: string }[]>; 'OS-EXT-SRV-ATTR:instance_name': string };
  }>('GET', `servers/${server.id}`);
  const address = Object.values(shown.server.addresses)[0]![0]!.addr;
  const name = shown.server['OS-EXT-SRV-ATTR:instance_name'];
  const cloud = { active, ssh: await loggedIn(address, key, from) };

  // Or the kernel asks for a guest's hardware address once a second only, and the next figures jump by that much.
  await execute('ip', ['ntable', 'change', 'name', 'arp_cache', 'dev', 'br100', 'retrans', '50']);
  await virsh('destroy', name);
  const disk = join(instances, name, 'disk');
  const { stdout } = await execute('qemu-img', ['info', '--output=json', disk]);
  const info = JSON.parse(stdout) as { 'full-backing-filename': string; 'virtual-size': number };
  await rm(disk);
  from = performance.now();
  const onto = `backing_file=${info['full-backing-filename']},backing_fmt=raw,compat=0.10`;
  await execute('qemu-img', [
    ...['create', '-q', '-f', 'qcow2', '-o', onto, disk],
    String(info['virtual-size']),
  ]);
  await virsh('start', name);
  const bare = { active: performance.now() - from, ssh: await loggedIn(address, key, from) };
  await nova.gone(server.id);
  return { cloud, bare };
}

const virsh = (...argv: string[]) => execute('virsh', ['-q', '-c', 'qemu:///system', ...argv]);

async function loggedIn(address: string, key: string, from: number): Promise<number> {
  const options = ['BatchMode=yes', 'ConnectTimeout=1', 'StrictHostKeyChecking=no'];
  const argv = ['-q', '-i', key, '-o', 'UserKnownHostsFile=/dev/null'];
  for (const option of options) argv.push('-o', option);
  while (performance.now() - from < LIMIT_MS) {
    const done = await execute('ssh', [...argv, `cirros@${address}`, 'true']).then(
      () => true,
      () => false,
    );
    if (done) return performance.now() - from;
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`${address} does not answer ssh`);
}
