import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { run } from '@folsom/host';
import type { Print } from './commands.ts';
import { CannotStart } from './preflight.ts';

/** Programs real guests need, each with the Debian package that brings it. */
const NEEDED: Record<string, string> = {
  libvirtd: 'libvirt-daemon-system',
  virtlogd: 'libvirt-daemon-system',
  'qemu-system-x86_64': 'qemu-system-x86',
  'qemu-img': 'qemu-utils',
  dnsmasq: 'dnsmasq-base',
  iptables: 'iptables',
  ebtables: 'ebtables',
  ip: 'iproute2',
  prlimit: 'util-linux',
};

/** What the guest image is made from. */
const GUEST_IMAGE: Record<string, string> = {
  'busybox-static': 'busybox-static',
  'dpkg-deb': 'dpkg',
  cpio: 'cpio',
  mke2fs: 'e2fsprogs',
};

const FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
const APT_TIMEOUT_MS = 600_000;

export const hasProgram = (name: string): boolean => FOLDERS.some(folder => existsSync(`${folder}/${name}`));

export type ComputeDriver = 'libvirt' | 'fake';

export interface Provisioned {
  driver: ComputeDriver;
  /** Why, in words for the terminal. */
  why: string;
}

/**
 * Decides how guests run. With `auto` or `libvirt`, as root on Debian or Ubuntu, missing packages are installed with
 * progress shown; elsewhere the command is printed. `auto` then goes on with the fake driver, `libvirt` refuses.
 */
export async function provision(wanted: 'auto' | ComputeDriver, print: Print): Promise<Provisioned> {
  if (wanted === 'fake') return { driver: 'fake', why: 'as asked: no virtual machine really runs' };
  const missing = packagesMissing();
  const root = process.getuid?.() === 0;
  if (missing.length > 0) {
    const command = `apt-get install ${missing.join(' ')}`;
    if (root && (await isDebian())) {
      print(`Installing what virtual machines need: ${missing.join(', ')} ...`);
      const failed = await install(missing);
      if (failed) return give(wanted, `could not install (${failed}); try: ${command}`);
    } else {
      return give(wanted, `missing: ${missing.join(', ')}; install with: ${root ? '' : 'sudo '}${command}`);
    }
  }
  if (!root) return give(wanted, 'only root may make bridges and guests; start with sudo for real ones');
  if (!existsSync('/dev/net/tun')) return give(wanted, 'this machine has no /dev/net/tun');
  return {
    driver: 'libvirt',
    why: (await virtualises()) ? 'KVM' : 'qemu emulation (the processor does not virtualise here)',
  };
}

function give(wanted: 'auto' | ComputeDriver, reason: string): Provisioned {
  if (wanted === 'libvirt') throw new CannotStart(`no libvirt: ${reason}`);
  return { driver: 'fake', why: `FAKE, no virtual machine really runs; ${reason}` };
}

const packagesMissing = (): string[] => [
  ...new Set(
    [...Object.entries(NEEDED), ...Object.entries(GUEST_IMAGE)]
      .filter(([program]) => !hasProgram(program) && !(program === 'busybox-static' && hasProgram('busybox')))
      .map(([, name]) => name),
  ),
];

async function isDebian(): Promise<boolean> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(text) && hasProgram('apt-get');
}

/** Resolves to the reason when it did not work. */
async function install(packages: readonly string[]): Promise<string | undefined> {
  const env = { PATH: FOLDERS.join(':'), DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C', HOME: '/root' };
  try {
    await run(['apt-get', 'update', '-q'], { timeoutMs: APT_TIMEOUT_MS, env });
    await run(['apt-get', 'install', '-q', '-y', '--no-install-recommends', ...packages], {
      timeoutMs: APT_TIMEOUT_MS,
      env,
    });
    return undefined;
  } catch (error) {
    return (error as Error).message.split('\n')[0];
  }
}

/** Only the processor's own flag tells: /dev/kvm and libvirt's capabilities lie on some virtualised hosts. */
export async function virtualises(): Promise<boolean> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  return /^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo) && existsSync('/dev/kvm');
}
