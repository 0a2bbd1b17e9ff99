import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { end, runningPid } from './daemons.ts';
import { writeHosts } from './dnsmasq.ts';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

/** One radvd: it tells the guests of a bridge their block of IPv6, and that this host is their router. */
export interface RadvdOptions {
  /** Folder of its configuration (`nova-ra-br100.conf`) and pid file (`nova-ra-br100.pid`), as Folsom names them. */
  directory: string;
  device: string;
}

/** What it announces, as often as Folsom has it: a guest has its address within ten seconds. */
const configuration = (device: string, cidr: string): string[] => [
  `interface ${device}`,
  '{',
  '   AdvSendAdvert on;',
  '   MinRtrAdvInterval 3;',
  '   MaxRtrAdvInterval 10;',
  `   prefix ${cidr}`,
  '   {',
  '        AdvOnLink on;',
  '        AdvAutonomous on;',
  '   };',
  '};',
];

/** Controls the radvd of a bridge. It outlives us and is found again by its pid file. */
export function radvd(runner: Runner, { directory, device }: RadvdOptions) {
  const file = join(directory, `nova-ra-${device}.conf`);
  const pidFile = join(directory, `nova-ra-${device}.pid`);
  const pid = () => runningPid('radvd', pidFile, file);
  const stop = async (): Promise<void> => {
    const running = await pid();
    if (running !== undefined) await end(runner, running);
    // One that was killed leaves its pid file, and the next would not start beside it.
    await rm(pidFile, { force: true });
  };
  return {
    pid,

    /** Announces this block and no other. Starts the server, unless one runs that does so. */
    async announce(cidr: string): Promise<void> {
      const wanted = configuration(device, cidr);
      const same = (await readFile(file, 'utf8').catch(() => '')) === `${wanted.join('\n')}\n`;
      if (same && (await pid()) !== undefined) return;
      await stop();
      await writeHosts(file, wanted);
      await runner(['radvd', '-C', file, '-p', pidFile], { timeoutMs: HOST_COMMAND_MS });
    },

    async stop(): Promise<void> {
      await stop();
      await rm(file, { force: true });
    },
  };
}

/** @throws Fault `ProcessExecutionError` where there is no radvd on this host */
export async function ensureRadvd(runner: Runner): Promise<void> {
  await runner(['radvd', '--version'], { timeoutMs: HOST_COMMAND_MS, allowedCodes: 'any' });
}
