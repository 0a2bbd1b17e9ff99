import { existsSync, readdirSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { run } from '@folsom/host/run';
import type { Place } from './place.ts';
import { removeSpaces } from './spaces.ts';

const STEP = { timeoutMs: 20_000, allowedCodes: 'any' } as const;
/** What a lab's directory may hold; anything else is somebody's. */
const OURS = ['hosts', 'lab.json', 'lab.json.new', 'openrc', 'openrc.new', 'probe.img', 'secrets.env'];

/**
 * Removes a lab, whatever state it is in: its processes and with them namespaces, cards, mounts; loop devices of its
 * files; its directory. Answers how many hosts there were.
 */
export async function removeLab(place: Place): Promise<number> {
  const strange = (existsSync(place.dir) ? readdirSync(place.dir) : []).filter(name => !OURS.includes(name));
  if (strange.length > 0)
    throw new Error(`${place.dir} is not a lab's directory: it holds ${strange.slice(0, 3).join(', ')}`);
  const hosts = await removeSpaces(place.dir);
  // The kernel lets go of them with the last mount; one whose mount was never made is left.
  const { stdout } = await run(['losetup', '--list', '--noheadings', '--output', 'NAME,BACK-FILE'], STEP);
  for (const line of stdout.split('\n')) {
    const [device, file] = line.trim().split(/\s+/);
    if (device && file?.startsWith(`${place.dir}/`)) await run(['losetup', '--detach', device], STEP);
  }
  await rm(place.dir, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 });
  return hosts;
}
