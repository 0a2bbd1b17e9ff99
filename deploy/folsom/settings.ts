import { readFile } from 'node:fs/promises';
import type { Layout } from './layout.ts';

/** What the cloud was started with, as far as it shaped the host. */
export interface PurgeSettings {
  driver: 'libvirt' | 'fake';
  hostIp: string;
  fixedRange: string;
  /** Pool of floating addresses that the first start made; missing in a cloud older than that. */
  floatingRange?: string;
  portsOffset: number;
  /** The network namespace it ran in, where real guests were possible. */
  namespace?: string;
}

/** The settings of the last start; undefined before the first. */
export async function readSettings(layout: Layout): Promise<PurgeSettings | undefined> {
  const text = await readFile(layout.settings, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as PurgeSettings;
  } catch {
    throw new Error(`${layout.settings} is damaged; remove it when no guests of this cloud are left`);
  }
}
