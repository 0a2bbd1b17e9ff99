import { access, chmod, chown, constants, mkdir, readFile, stat } from 'node:fs/promises';
import { connect } from 'node:net';
import { dirname } from 'node:path';
import type { Clock, Logger, RunningService } from '@folsom/core';
import { run } from './run.ts';

/** libvirt's socket on a host where it runs for the whole system. */
const LIBVIRT_SOCKET = '/run/libvirt/libvirt-sock';

/** Beside the sockets: a host that has sockets of its own has its own daemons. */
const RUN_DIR = '/run/libvirt';

/** A busy machine with many guests takes its time; the watch goes on after that. */
const START_MS = 60_000;
const POLL_MS = 50;
const AGAIN_MS = 1_000;
const WATCH_MS = 5_000;

/** What qemu and libvirtd are told on a host that is a set of namespaces: no user, cgroup or label is its own there. */
export const QEMU_IN_NAMESPACES = `user = "root"
group = "root"
dynamic_ownership = 0
security_driver = "none"
remember_owner = 0
cgroup_controllers = []
namespaces = []
stdio_handler = "logd"
`;
export const LIBVIRTD_IN_NAMESPACES = `auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_group = "root"
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
listen_tls = 0
listen_tcp = 1
auth_tcp = "none"
`;

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

/** The daemons as this host has them; given where they are others than the host's own. */
export interface LibvirtDaemons {
  /** libvirtd's socket. */
  socket: string;
  /** Whether a service manager keeps them. */
  kept(): Promise<boolean>;
  /** Asks the service manager. */
  order(): Promise<unknown>;
  /** Starts one as a daemon that outlives us; one that runs already is fine. */
  start(daemon: 'virtlogd' | 'libvirtd'): Promise<unknown>;
}

const there = (path: string): Promise<boolean> =>
  access(path, constants.F_OK).then(
    () => true,
    () => false,
  );

const ofThisHost: LibvirtDaemons = {
  socket: LIBVIRT_SOCKET,
  kept: () => there('/run/systemd/system'),
  order: () => run(['systemctl', 'start', 'libvirtd.service'], { timeoutMs: 60_000 }),
  start: daemon => run([daemon, '-d', '-p', `${RUN_DIR}/${daemon}.pid`], { timeoutMs: 30_000 }),
};

/**
 * Makes sure that libvirt runs: where no service manager keeps it, virtlogd and libvirtd are started here, as
 * daemons that outlive us (guests belong to them). libvirtd ends while it starts when it cannot set a rule of a guest that
 * it finds, since somebody else is changing the packet filter in that moment: it is started again, as its unit would.
 * Answers whether libvirt answers now.
 */
export async function ensureLibvirtd(
  { clock, log }: { clock: Clock; log: Logger },
  daemons: LibvirtDaemons = ofThisHost,
): Promise<boolean> {
  const { socket, start, order } = daemons;
  if (await libvirtdAnswers(socket)) return true;
  const kept = await daemons.kept();
  if (kept) await order().catch(error => log.warn('cannot start libvirtd', { error }));
  else {
    await shareKvm().catch(error => log.debug('cannot share /dev/kvm', { error }));
    await mkdir(dirname(socket), { recursive: true });
    log.info('starting libvirt, which nothing else keeps');
  }
  const end = clock.monotonic() + START_MS;
  for (let next = 0; clock.monotonic() < end; await clock.sleep(POLL_MS)) {
    if (await libvirtdAnswers(socket)) return true;
    if (kept || clock.monotonic() < next) continue;
    next = clock.monotonic() + AGAIN_MS;
    for (const daemon of ['virtlogd', 'libvirtd'] as const) {
      await start(daemon).catch(error => log.debug('not started; it may run already', { daemon, error }));
    }
  }
  return false;
}

/** Looks every few seconds whether libvirt answers, and starts it again where it was ours to start. */
export function keepLibvirtd(
  seam: { clock: Clock; log: Logger },
  daemons: LibvirtDaemons = ofThisHost,
): RunningService {
  let running: Promise<void> = Promise.resolve();
  let missing = false;
  const look = async () => {
    if (await libvirtdAnswers(daemons.socket)) {
      missing = false;
      return;
    }
    // A service manager starts it again by its own rules, and leaves it alone where an operator has stopped it.
    if (await daemons.kept()) {
      if (!missing) seam.log.error('libvirtd does not answer');
      missing = true;
      return;
    }
    const back = await ensureLibvirtd(seam, daemons);
    if (back) seam.log.warn('libvirtd did not answer and was started again');
    else seam.log.error('libvirtd does not answer and cannot be started');
  };
  let looking = false;
  const timer = seam.clock.every(WATCH_MS, () => {
    if (looking) return;
    looking = true;
    running = look()
      .catch(error => seam.log.error('cannot look after libvirtd', { error }))
      .finally(() => {
        looking = false;
      });
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
