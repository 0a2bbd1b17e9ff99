import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { networkNamespace } from './host-owner.ts';

const END_TRIES = 100;
const END_POLL_MS = 20;

/** A DHCP server of a cloud whose files are gone. */
export interface Leftover {
  pid: number;
  hostsFile: string;
}

/** The hosts file of a command line that is nova-network's dnsmasq; undefined for any other program. */
export function hostsFileOf(commandLine: string): string | undefined {
  const words = commandLine.split('\0');
  if (!/(^|\/)dnsmasq$/.test(words[0] ?? '')) return undefined;
  return words
    .map(word => /^--dhcp-hostsfile=(.+\/nova-[^/]+\.conf)$/.exec(word)?.[1])
    .find(path => path !== undefined);
}

/**
 * DHCP servers in this network namespace whose hosts file is no more (a state directory was deleted under them), and those of the
 * stopped cloud in `former`, whose place another one takes. They hold the guests' gateway address, so that no other can start.
 */
export async function leftoverDhcpServers(former?: string): Promise<Leftover[]> {
  const here = await networkNamespace();
  const found: Leftover[] = [];
  for (const name of await readdir('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const hostsFile = hostsFileOf(await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => ''));
    if (hostsFile === undefined) continue;
    const ofFormer = former !== undefined && hostsFile.startsWith(`${former}/`);
    if (!ofFormer && existsSync(hostsFile)) continue;
    if ((await networkNamespace(pid)) === here) found.push({ pid, hostsFile });
  }
  return found;
}

/** Ends them and waits until their sockets are closed. */
export async function clearLeftovers(leftovers: readonly Leftover[]): Promise<void> {
  for (const { pid } of leftovers) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      continue; // It has ended by itself.
    }
    for (let tries = 0; tries < END_TRIES; tries++) {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
      if (stat === '' || /\) [ZX] /.test(stat)) break;
      await sleep(END_POLL_MS);
    }
  }
}
