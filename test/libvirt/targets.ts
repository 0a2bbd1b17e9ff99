import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { systemClock } from '@folsom/core';
import type { Database } from '@folsom/db';
import type { HostNamespace } from '@folsom/testing';
import { addVolume } from '../faults/compute-cloud.ts';
import { PATIENCE_MS } from './host-under-test.ts';

/** Why no iSCSI targets can be had here, aloud; undefined where they can. */
export function cannotExport(): string | undefined {
  const needed = ['/usr/sbin/tgtd', '/usr/lib/x86_64-linux-gnu/qemu/block-iscsi.so'];
  const missing = needed.filter(path => !existsSync(path));
  const why = missing.length > 0 ? `no ${missing.join(', ')}` : undefined;
  if (why !== undefined) console.warn(`skipped: volumes over iSCSI cannot be tried here (${why})`);
  return why;
}

const IP = '172.31.77.1';
const USER = 'reader';
const PASSWORD = 'fourteen letters';

/** tgtd of a host, in user space: targets of files, for those who know the password. */
export interface IscsiTargets {
  /** Answers how the file is reached. */
  export(path: string): Promise<Record<string, unknown>>;
  /** How many initiators are logged in. */
  connections(): Promise<number>;
  stop(): void;
}

export async function iscsiTargets(space: HostNamespace): Promise<IscsiTargets> {
  const control = String(20_000 + (process.pid % 10_000));
  const argv = [...space.enter, 'tgtd', '-f', '-C', control, '--iscsi', `portal=${IP}:3260`];
  const child: ChildProcess = spawn(argv[0]!, argv.slice(1), { stdio: 'ignore' });
  const admin = (...words: string[]) => space.exec(['tgtadm', '-C', control, '--lld', 'iscsi', ...words]);
  const show = async () => (await admin('--mode', 'target', '--op', 'show')).stdout;
  const end = systemClock.monotonic() + PATIENCE_MS;
  while ((await admin('--mode', 'system', '--op', 'show')).code !== 0) {
    if (systemClock.monotonic() > end) throw new Error('tgtd does not start');
    await systemClock.sleep(100);
  }
  const must = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await admin(...words);
    if (code !== 0) throw new Error(`tgtadm ${words.join(' ')}: ${stderr}`);
  };
  await must('--mode', 'account', '--op', 'new', '--user', USER, '--password', PASSWORD);
  let serial = 0;
  return {
    async export(path) {
      const tid = String(++serial);
      const iqn = `iqn.2010-10.org.openstack:volume-${tid}`;
      await must('--mode', 'target', '--op', 'new', '--tid', tid, '-T', iqn);
      await must('--mode', 'logicalunit', '--op', 'new', '--tid', tid, '--lun', '1', '-b', path);
      await must('--mode', 'account', '--op', 'bind', '--tid', tid, '--user', USER);
      await must('--mode', 'target', '--op', 'bind', '--tid', tid, '-I', 'ALL');
      return {
        target_discovered: false,
        target_iqn: iqn,
        target_portal: `${IP}:3260`,
        target_lun: 1,
        auth_method: 'CHAP',
        auth_username: USER,
        auth_password: PASSWORD,
      };
    },
    connections: async () => (await show()).match(/I_T nexus: \d+/g)?.length ?? 0,
    stop: () => void child.kill('SIGKILL'),
  };
}

/** A volume whose bytes are in a file that is exported; `host` is its nova-volume's. */
export async function exportedVolume(
  db: Database,
  targets: IscsiTargets,
  file: string,
  host?: string,
): Promise<string> {
  const data = await targets.export(file);
  const id = await addVolume(db, host === undefined ? {} : { host });
  const provider_location = JSON.stringify({ driver_volume_type: 'iscsi', data: { volume_id: id, ...data } });
  await db.knex('volumes').where({ id }).update({ provider_location });
  return id;
}
