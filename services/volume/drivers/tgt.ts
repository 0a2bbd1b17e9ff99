import { mkdir, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isFault, must } from '@folsom/core';
import { HOST_COMMAND_MS, type Runner } from '@folsom/host/runner';
import { novaFault } from '@folsom/nova/faults';
import { chapOf, iqnOf, locationOf, type TargetSettings, type Targets } from './targets.ts';

export interface TgtOptions extends TargetSettings {
  /** `volumes_dir`: one file a target, as tgt-admin reads them. */
  directory: string;
  runner: Runner;
}

/** tgt's controller is unit 0 of each target. */
const LUN = 1;
const LIMITS = { timeoutMs: HOST_COMMAND_MS };

/** tgt (`iscsi_helper=tgtadm`): works in user space, without modules of the kernel. */
export function tgtTargets(options: TgtOptions): Targets {
  const { directory, prefix, runner } = options;
  const confOf = ({ name }: { name: string }) => join(directory, name);

  /** Numbers of what is served under our names, by iqn. */
  const shown = async (): Promise<Map<string, number>> => {
    const { stdout } = await runner(['tgt-admin', '--show'], LIMITS);
    const targets = [...stdout.matchAll(/^Target (\d+): (\S+)$/gm)];
    return new Map(
      targets
        .filter(([, , iqn]) => must(iqn, 'iqn is there').startsWith(prefix))
        .map(([, tid, iqn]) => [must(iqn, 'iqn is there'), Number(tid)]),
    );
  };
  const drop = async (name: string): Promise<void> => {
    const iqn = iqnOf(prefix, { name });
    // By force: who is still logged in must not keep what is deleted, or it would reach what comes next.
    if ((await shown()).has(iqn)) await runner(['tgt-admin', '--force', '--delete', iqn], LIMITS);
    await rm(confOf({ name }), { force: true });
  };

  return {
    async init() {
      await mkdir(directory, { recursive: true, mode: 0o711 });
      await runner(['tgt-admin', '--show'], LIMITS).catch(error => {
        throw new Error(`tgt does not answer; install it (Debian: tgt) and start tgtd: ${reason(error)}`);
      });
    },
    async ensure(disk, path) {
      const iqn = iqnOf(prefix, disk);
      const conf = confOf(disk);
      const text = targetConf(iqn, path, chapOf(disk));
      await writeFile(`${conf}.new`, text, { mode: 0o600 });
      await rename(`${conf}.new`, conf);
      let tid = (await shown()).get(iqn);
      if (tid === undefined) {
        await runner(['tgt-admin', '--conf', conf, '--update', iqn], LIMITS).catch(async error => {
          await rm(conf, { force: true });
          throw novaFault('ISCSITargetCreateFailed', { volume_id: disk.id }, { cause: error });
        });
        tid = (await shown()).get(iqn);
      }
      if (tid === undefined) throw novaFault('ISCSITargetCreateFailed', { volume_id: disk.id });
      return {
        provider_location: locationOf(options, { tid, iqn, lun: LUN }),
        provider_auth: disk.provider_auth,
      };
    },
    remove: disk => drop(disk.name),
    async check(disk) {
      if (!(await shown()).has(iqnOf(prefix, disk)))
        throw novaFault('ISCSITargetNotFoundForVolume', { volume_id: disk.id });
    },
    async sweep(disks) {
      const known = new Set(disks.map(disk => disk.name));
      // Targets are others' as well, and of other hosts' volumes: ours are those that have a file here.
      const stale = (await readdir(directory)).filter(name => !known.has(name));
      for (const name of stale) await drop(name);
      return stale.map(name => `target ${name}`);
    },
  };
}

const targetConf = (iqn: string, path: string, chap: ReturnType<typeof chapOf>): string =>
  [
    `<target ${iqn}>`,
    `    backing-store ${path}`,
    ...(chap === undefined ? [] : [`    incominguser ${chap.user} ${chap.password}`]),
    '</target>',
    '',
  ].join('\n');

const reason = (error: unknown): string =>
  isFault(error, 'ProcessExecutionError')
    ? String(error.values.stderr || error.values.description).trim()
    : (error as Error).message;
