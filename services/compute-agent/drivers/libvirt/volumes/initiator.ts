import { readFile, stat } from 'node:fs/promises';
import { type Clock, keyedMutex, type Logger } from '@folsom/core';
import type { Runner } from '@folsom/host/runner';
import type { IscsiConnection } from '@folsom/nova/rpc/volume';
import { computeFault } from '../../../faults.ts';

/** The host's own iSCSI initiator (open-iscsi), where its kernel has one. */
export interface Initiator {
  /** Whether the kernel can be it. */
  there(): Promise<boolean>;
  /** Its name as the host is configured; null where it has none. */
  name(): Promise<string | null>;
  /** Logs in to the target; answers the volume's block device. Again it finds it there. */
  connect(data: IscsiConnection['data']): Promise<string>;
  /** Logs out, when no disk of the target is used any more. */
  disconnect(data: IscsiConnection['data'], inUse: (device: string) => Promise<boolean>): Promise<void>;
}

const NAME_FILE = '/etc/iscsi/initiatorname.iscsi';
const TRANSPORT = '/sys/class/iscsi_transport/tcp';
const COMMAND_MS = 60_000;
/** iscsiadm's codes for: no such record; a session that is there already; none to end. */
const NO_RECORD = [21, 255];
const LOGGED_IN = [0, 15, 255];
const NOT_THERE = [0, 21, 255];

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** Where udev shows a unit of a target. */
const devicePath = (data: IscsiConnection['data']): string => `${devicesOf(data)}${data.target_lun}`;
const devicesOf = ({ target_portal, target_iqn }: IscsiConnection['data']): string =>
  `/dev/disk/by-path/ip-${target_portal}-iscsi-${target_iqn}-lun-`;

export function openIscsi(options: {
  runner: Runner;
  clock: Clock;
  log: Logger;
  /** Scans for a disk that does not show after the login. */
  scanTries: number;
}): Initiator {
  const { runner, clock, log, scanTries } = options;
  /** Another volume may use the same target: who logs in does not meet who logs out. */
  const inTurn = keyedMutex();
  const node = (data: IscsiConnection['data'], ...words: string[]) => [
    'iscsiadm',
    '-m',
    'node',
    '-T',
    data.target_iqn,
    '-p',
    data.target_portal,
    ...words,
  ];
  const run = (data: IscsiConnection['data'], words: string[], allowedCodes: readonly number[] = [0]) =>
    runner(node(data, ...words), {
      timeoutMs: COMMAND_MS,
      allowedCodes,
      ...(data.auth_password === undefined ? {} : { secrets: [data.auth_password] }),
    });
  const update = (
    data: IscsiConnection['data'],
    key: string,
    value: string,
    allowedCodes: readonly number[] = [0],
  ) => run(data, ['--op', 'update', '-n', key, '-v', value], allowedCodes);

  const login = async (data: IscsiConnection['data']): Promise<void> => {
    const known = await run(data, [], [0, ...NO_RECORD]);
    if (known.code !== 0) await run(data, ['--op', 'new']);
    if (data.auth_method !== undefined) {
      await update(data, 'node.session.auth.authmethod', data.auth_method);
      await update(data, 'node.session.auth.username', data.auth_username ?? '');
      await update(data, 'node.session.auth.password', data.auth_password ?? '');
    }
    await run(data, ['--login'], LOGGED_IN);
    await update(data, 'node.startup', 'automatic');
  };

  const appears = async (data: IscsiConnection['data']): Promise<string> => {
    const device = devicePath(data);
    for (let tries = 0; !(await exists(device)); tries++) {
      if (tries >= scanTries) throw computeFault('IscsiDeviceNotFound', { device });
      log.warn('a volume does not show yet; looking again', { device, tries });
      await run(data, ['--rescan']);
      if (!(await exists(device))) await clock.sleep((tries + 1) ** 2 * 1000);
    }
    return device;
  };

  return {
    async there() {
      if (!(await exists(NAME_FILE))) return false;
      if (!(await exists(TRANSPORT)))
        await runner(['modprobe', 'iscsi_tcp'], { timeoutMs: COMMAND_MS }).catch(() => {});
      return exists(TRANSPORT);
    },
    async name() {
      const text = await readFile(NAME_FILE, 'utf8').catch(() => '');
      return /^InitiatorName=(\S+)/m.exec(text)?.[1] ?? null;
    },
    connect: data =>
      inTurn(data.target_iqn, async () => {
        await login(data);
        return appears(data);
      }),
    disconnect: (data, inUse) =>
      inTurn(data.target_iqn, async () => {
        if (await inUse(devicesOf(data))) return;
        await update(data, 'node.startup', 'manual', NOT_THERE);
        await run(data, ['--logout'], NOT_THERE);
        await run(data, ['--op', 'delete'], NOT_THERE);
        // Until it is gone here nobody else may have it.
        if (await exists(devicePath(data)))
          throw computeFault('IscsiDeviceStays', { device: devicePath(data) });
      }),
  };
}
