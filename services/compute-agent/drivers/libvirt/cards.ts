import type { Logger } from '@folsom/core';
import type { Runner } from '@folsom/host/runner';
import type { LibvirtConnection } from './connection.ts';
import { cardsOf } from './domain-xml.ts';

const QUICK_MS = 10_000;

/** Puts cards of running guests back on their bridge, after somebody took that away. */
export async function repairCards(libvirt: LibvirtConnection, runner: Runner, log: Logger): Promise<void> {
  const { stdout } = await runner(['ip', '-j', 'link', 'show'], { timeoutMs: QUICK_MS });
  const links = JSON.parse(stdout) as { ifname: string; master?: string }[];
  const lost = new Set(links.filter(link => link.master === undefined).map(link => link.ifname));
  if (!links.some(link => /^vnet\d+$/.test(link.ifname) && lost.has(link.ifname))) return;
  for (const name of await libvirt.list()) {
    for (const card of cardsOf(await libvirt.xml(name).catch(() => ''))) {
      if (!lost.has(card.device)) continue;
      log.warn('a guest was cut off its bridge; putting it back', { guest: name, ...card });
      await runner(['ip', 'link', 'set', card.device, 'master', card.bridge, 'up'], { timeoutMs: QUICK_MS });
    }
  }
}
