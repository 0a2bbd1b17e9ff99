import { access, chmod, chown, constants, mkdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import type { Clock, Logger, RunningService } from '@folsom/core';
import { run } from './run.ts';

/** libvirt's socket on a host where it runs for the whole system. */
const LIBVIRT_SOCKET = '/run/libvirt/libvirt-sock';

/** Beside the sockets: a host that has sockets of its own has its own daemons. */
const RUN_DIR = '/run/libvirt';

const START_MS = 15_000;
const POLL_MS = 50;
const WATCH_MS = 5_000;

/** Whether a libvirtd answers at the socket. */
export const libvirtdAnswers = (socket = LIBVIRT_SOCKET): Promise<boolean> =>
  new Promise(resolve => {
    const client = connect(socket);
    const done = (answer: boolean) => {
      client.destroy();
      resolve(answer);
    };
    client.setTimeout(2_000, () => done(false));
    client.once('connect', () => done(true));
    client.once('error', () => done(false));
  });

/**
 * Makes sure that libvirt runs: where no service manager keeps it, virtlogd and libvirtd are started here, as
 * daemons that outlive us (guests belong to them). Answers whether libvirt answers now.
 */
export async function ensureLibvirtd(seam: { clock: Clock; log: Logger }): Promise<boolean> {
  if (await libvirtdAnswers()) return true;
  const systemd = await access('/run/systemd/system', constants.F_OK).then(
    () => true,
    () => false,
  );
  if (systemd) {
    await run(['systemctl', 'start', 'libvirtd.service'], { timeoutMs: 60_000 }).catch(error =>
      seam.log.warn('cannot start libvirtd', { error }),
    );
  } else {
    await shareKvm().catch(error => seam.log.debug('cannot share /dev/kvm', { error }));
    await mkdir(RUN_DIR, { recursive: true });
    for (const daemon of ['virtlogd', 'libvirtd']) {
      seam.log.info('starting a daemon that nothing else keeps', { daemon });
      await run([daemon, '-d', '-p', `${RUN_DIR}/${daemon}.pid`], { timeoutMs: 30_000 }).catch(error =>
        seam.log.debug('not started; it may run already', { daemon, error }),
      );
    }
  }
  const end = seam.clock.monotonic() + START_MS;
  while (seam.clock.monotonic() < end) {
    if (await libvirtdAnswers()) return true;
    await seam.clock.sleep(POLL_MS);
  }
  return false;
}

/** Looks every few seconds whether libvirt answers, and starts it again where it was ours to start. */
export function keepLibvirtd(seam: { clock: Clock; log: Logger }): RunningService {
  let running: Promise<void> = Promise.resolve();
  const look = async () => {
    if (await libvirtdAnswers()) return;
    const back = await ensureLibvirtd(seam);
    if (back) seam.log.warn('libvirtd did not answer and was started again');
    else seam.log.error('libvirtd does not answer and cannot be started');
  };
  const timer = seam.clock.every(WATCH_MS, () => {
    running = running.then(look).catch(error => seam.log.error('cannot look after libvirtd', { error }));
  });
  return {
    name: 'libvirtd-watch',
    addresses: [],
    stop: async () => {
      timer.cancel();
      await running;
    },
  };
}

/**
 * Gives /dev/kvm to the group `kvm`, as udev does where it runs. Without that libvirt finds a device that its guests'
 * user may not open, mistrusts what it knows of qemu and examines it anew dozens of times for every guest started.
 */
async function shareKvm(): Promise<void> {
  const device = await stat('/dev/kvm').catch(() => undefined);
  if (device === undefined || (device.mode & 0o060) === 0o060) return;
  const group = /^kvm:[^:]*:(\d+):/m.exec(await readFile('/etc/group', 'utf8'))?.[1];
  if (group === undefined || device.uid !== 0) return;
  await chown('/dev/kvm', 0, Number(group));
  await chmod('/dev/kvm', 0o660);
}
