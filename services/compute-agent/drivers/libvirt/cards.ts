import type { Logger } from '@folsom/core';
import type { Runner } from '@folsom/host/runner';
import type { CardCounters } from '../../driver.ts';
import type { LibvirtConnection } from './connection.ts';
import { cardsOf } from './domain-xml.ts';
import { ifPresent } from './domains.ts';

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

/** What the cards of a guest have received and sent since it was started; none of one that is off or not there. */
export async function countCards(libvirt: LibvirtConnection, name: string): Promise<CardCounters[]> {
  const counted: CardCounters[] = [];
  for (const { mac, device } of cardsOf(await ifPresent(libvirt.xml(name), ''))) {
    // It may have been ended meanwhile.
    const stats = await libvirt.cardStats(name, device).catch(() => undefined);
    if (stats === undefined) continue;
    counted.push({ mac, bytesIn: stats.receivedBytes ?? 0, bytesOut: stats.sentBytes ?? 0 });
  }
  return counted;
}
