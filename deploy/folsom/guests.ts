import { run } from '@folsom/host';
import { libvirtdAnswers } from '@folsom/host/libvirtd';
import type { Layout } from './layout.ts';

const VIRSH = ['virsh', '-c', 'qemu:///system'];
const VIRSH_TIMEOUT_MS = 30_000;

export const virsh = (...words: string[]) =>
  run([...VIRSH, ...words], { timeoutMs: VIRSH_TIMEOUT_MS, allowedCodes: 'any' });

/** Names of this host's guests whose disks lie in the state directory. */
export async function guestsOf(layout: Pick<Layout, 'instances'>): Promise<string[]> {
  if (!(await libvirtdAnswers())) return [];
  const listed = await run([...VIRSH, 'list', '--all', '--name'], { timeoutMs: VIRSH_TIMEOUT_MS });
  const ours: string[] = [];
  for (const name of listed.stdout.split('\n').filter(Boolean)) {
    const { stdout } = await virsh('dumpxml', name);
    if (stdout.includes(`${layout.instances}/`)) ours.push(name);
  }
  return ours;
}

/** Does the work while none of the guests that run writes; they go on afterwards, whatever came of it. */
export async function withGuestsPaused<T>(guests: readonly string[], work: () => Promise<T>): Promise<T> {
  const paused: string[] = [];
  try {
    for (const name of guests) {
      if ((await virsh('domstate', name)).stdout.trim() !== 'running') continue;
      if ((await virsh('suspend', name)).code === 0) paused.push(name);
    }
    return await work();
  } finally {
    for (const name of paused) await virsh('resume', name);
  }
}
