import type { Database } from '@folsom/db';
import { HOST_COMMAND_MS, type Runner } from '@folsom/host/runner';
import { novaFault } from '@folsom/nova/faults';
import { freeTargets, takeTarget, targetOf } from '@folsom/nova/iscsi-targets';
import type { Disk } from '../driver.ts';
import { chapOf, iqnOf, locationOf, type TargetSettings, type Targets } from './targets.ts';

export interface IetOptions extends TargetSettings {
  db: Database;
  host: string;
  /** `iscsi_num_targets` */
  most: number;
  runner: Runner;
}

const LUN = 0;
const LIMITS = { timeoutMs: HOST_COMMAND_MS };

/** The iSCSI Enterprise Target (`iscsi_helper=ietadm`), whose targets have numbers that stand in `iscsi_targets`. */
export function ietTargets(options: IetOptions): Targets {
  const { db, host, runner, prefix } = options;
  const ietadm = (...argv: string[]) => runner(['ietadm', ...argv], LIMITS);
  const isShown = async (tid: number): Promise<boolean> =>
    (await runner(['ietadm', '--op', 'show', `--tid=${tid}`], { ...LIMITS, allowedCodes: 'any' })).code === 0;
  const drop = async (tid: number): Promise<void> => {
    if (!(await isShown(tid))) return;
    await ietadm('--op', 'delete', `--tid=${tid}`, `--lun=${LUN}`);
    await ietadm('--op', 'delete', `--tid=${tid}`);
  };
  return {
    async init() {
      await ietadm('--version').catch(error => {
        throw new Error(`ietadm cannot be run: ${(error as Error).message}`);
      });
    },
    async ensure(disk, path) {
      const tid =
        (await targetOf(db.knex, host, disk.id)) ??
        (await db.transaction(trx => takeTarget(trx, host, disk.id, options.most)));
      if (tid === undefined) throw novaFault('ISCSITargetCreateFailed', { volume_id: disk.id });
      const iqn = iqnOf(prefix, disk);
      if (!(await isShown(tid))) {
        await ietadm('--op', 'new', `--tid=${tid}`, '--params', `Name=${iqn}`);
        const chap = chapOf(disk);
        if (chap !== undefined)
          await runner(
            [
              ...['ietadm', '--op', 'new', `--tid=${tid}`, '--user'],
              `--params=IncomingUser=${chap.user},Password=${chap.password}`,
            ],
            { ...LIMITS, secrets: [chap.password] },
          );
        const params = `Path=${path},Type=fileio`;
        await ietadm('--op', 'new', `--tid=${tid}`, `--lun=${LUN}`, '--params', params);
      }
      return {
        provider_location: locationOf(options, { tid, iqn, lun: LUN }),
        provider_auth: disk.provider_auth,
      };
    },
    async remove(disk) {
      const tid = await targetOf(db.knex, host, disk.id);
      if (tid !== undefined) await drop(tid);
    },
    async check(disk) {
      const tid = await targetOf(db.knex, host, disk.id);
      if (tid === undefined || !(await isShown(tid)))
        throw novaFault('ISCSITargetNotFoundForVolume', { volume_id: disk.id });
    },
    async sweep(disks) {
      const known = new Set(disks.map((disk: Disk) => disk.id));
      const stale = await freeTargets(db.knex, host, known);
      const removed: string[] = [];
      for (const tid of stale) {
        if (!(await isShown(tid))) continue;
        await drop(tid);
        removed.push(`target ${tid}`);
      }
      return removed;
    },
  };
}
