import { settled } from '../../torture/audit.ts';
import { PATIENCE_MS } from '../host-under-test.ts';
import { headOf, inside, nameOnHost, type Server, virsh, type World } from './world.ts';

/** Writes down who a guest is, for later questions: on its disk, and on its volumes. */
export async function mark(world: World, server: Server): Promise<void> {
  server.mark = world.random.hex(16);
  // Nothing is ever left unwritten: whatever cuts a guest's power finds it on the disk.
  await inside(world, server, `echo ${server.mark} > /root/mark; sync`);
}

/** It has begun anew: the next answer comes from another run, of the same guest. */
export function booted(server: Server): void {
  server.formerBootId = server.bootId ?? server.formerBootId;
  server.bootId = undefined;
}

/**
 * Asks a running guest whether it is still itself: its disk, name, address, key (who logs in) and volumes. One that is still booting
 * answers ssh before it has its name.
 */
export const itself = (world: World, server: Server): Promise<string[]> =>
  settled(() => answers(world, server), PATIENCE_MS);

async function answers(world: World, server: Server): Promise<string[]> {
  const rescued = server.state === 'rescued';
  const heads = rescued ? [] : server.volumes.filter(volume => volume.bytes !== undefined);
  const said = (
    await inside(
      world,
      server,
      [
        'cat /proc/sys/kernel/random/boot_id',
        'hostname',
        "ip -4 -o addr show eth0 | sed 's/.*inet \\([0-9.]*\\).*/\\1/' | head -n 1",
        '(cat /root/mark || echo none) 2>/dev/null',
        "echo $(sed -n 's/.*\\(vd[a-z]\\)$/\\1/p' /proc/partitions)",
        ...heads.map(({ device }) => headOf(device)),
      ].join('; '),
    )
  ).split('\n');
  const disks = rescued ? 'vda vdb' : ['vda', ...server.volumes.map(({ device }) => device)].sort().join(' ');
  const [bootId = ''] = said;
  if (server.bootId === undefined && bootId !== server.formerBootId) server.bootId = bootId;
  const wanted = [
    server.bootId ?? 'another boot',
    server.name,
    server.address,
    rescued ? (server.image.mark ?? 'none') : server.mark,
    disks,
    ...heads.map(({ bytes }) => bytes),
  ];
  const out: string[] = [];
  for (const [at, value] of wanted.entries())
    if (said[at] !== value)
      out.push(`${server.name} (${server.state}) says "${said[at]}" where "${value}" was expected`);
  return out;
}

const DOMAIN: Record<Server['state'], string> = {
  active: 'running',
  paused: 'paused',
  suspended: 'shut off',
  stopped: 'shut off',
  rescued: 'running',
  resized: 'running',
};

/** Whether the hypervisor has it as its user has left it, with its volumes. */
export async function asLeft(world: World, server: Server): Promise<string[]> {
  const name = await nameOnHost(world, server);
  const out: string[] = [];
  const state = await virsh('domstate', name);
  if (state !== DOMAIN[server.state]) out.push(`${server.name} is ${server.state} and on its host ${state}`);
  const listed = await virsh('domblklist', name);
  const plugged = [...listed.matchAll(/^\s*(\w+)\s+\S*\/volume-([0-9a-f-]{36})\s*$/gm)]
    .map(([, device, id]) => `${id} ${device}`)
    .sort();
  const wanted = server.volumes.map(({ id, device }) => `${id} ${device}`).sort();
  if (server.state !== 'rescued' && plugged.join() !== wanted.join())
    out.push(`${server.name} has the volumes ${plugged} where ${wanted} were expected`);
  return out;
}
