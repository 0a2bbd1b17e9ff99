import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DISK_FULL_BYTES, freeMib, type LookAtDisk } from '@folsom/core';
import { run } from '@folsom/host';
import { confinement } from '@folsom/host/confined';
import { libvirtdAnswers } from '@folsom/host/libvirtd';
import { volumesFindings } from './doctor-volumes.ts';
import { hostOfPort, type Layout, PORTS, type PortName, type Ports } from './layout.ts';
import { leftoverDhcpServers } from './leftovers.ts';
import { isOpen } from './preflight.ts';
import { readRunning } from './running.ts';

export type Severity = 'ok' | 'warning' | 'problem';

export interface Finding {
  severity: Severity;
  what: string;
  /** What to do about it; absent when nothing needs doing. */
  fix?: string;
}

export interface DoctorOptions {
  layout: Layout;
  ports: Ports;
  hostIp: string;
  /** Configuration files to look into for old defaults. */
  configFiles: readonly string[];
  now: () => number;
  lookAtDisk?: LookAtDisk;
}

const ORDER: Record<Severity, number> = { problem: 0, warning: 1, ok: 2 };

/** One line each and one for its fix, the gravest first. */
export function printFindings(findings: readonly Finding[], print: (line: string) => void): void {
  for (const { severity, what, fix } of findings.toSorted((a, b) => ORDER[a.severity] - ORDER[b.severity])) {
    print(`${severity === 'ok' ? 'ok      ' : severity.padEnd(8)} ${what}`);
    if (fix) print(`         -> ${fix}`);
  }
}

/** Looks for old defaults in use and for what this machine lacks; never changes anything. */
export async function examine(options: DoctorOptions): Promise<Finding[]> {
  const groups = await Promise.all([
    programs(),
    virtualisation(),
    imageTools(),
    clock(options.now),
    extendedAttributes(options.layout),
    host(options.layout),
    freeSpace(options.layout, options.lookAtDisk),
    ports(options),
    secretFiles(options.layout),
    volumesFindings(options.configFiles),
    ...options.configFiles.map(oldDefaults),
  ]);
  return groups.flat();
}

const PROGRAMS: Record<string, { needed: string; packages: string }> = {
  libvirtd: { needed: 'real virtual machines', packages: 'libvirt-daemon-system' },
  'qemu-system-x86_64': { needed: 'real virtual machines', packages: 'qemu-system-x86' },
  'qemu-img': { needed: 'disks of virtual machines', packages: 'qemu-utils' },
  dnsmasq: { needed: 'addresses for virtual machines (DHCP)', packages: 'dnsmasq-base' },
  iptables: { needed: 'security groups and NAT', packages: 'iptables' },
  ip: { needed: 'bridges and addresses', packages: 'iproute2' },
  tgtd: { needed: 'volumes that other hosts reach over iSCSI', packages: 'tgt' },
  rsync: { needed: 'replication between object servers', packages: 'rsync' },
};

async function programs(): Promise<Finding[]> {
  const folders = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];
  const findings: Finding[] = [];
  for (const [program, { needed, packages }] of Object.entries(PROGRAMS)) {
    const found = await firstOf(folders.map(folder => join(folder, program)));
    findings.push(
      found
        ? { severity: 'ok', what: `${program} is ${found}` }
        : {
            severity: 'warning',
            what: `${program} is missing (${needed})`,
            fix: `apt-get install ${packages}`,
          },
    );
  }
  return findings;
}

async function firstOf(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) if (await exists(path)) return path;
  return undefined;
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );

/** What the guests of a running cloud need of the host while they run. */
async function host(layout: Layout): Promise<Finding[]> {
  const running = await readRunning(layout);
  if (!running?.hypervisor.startsWith('libvirt')) return [];
  const findings: Finding[] = [];
  if (!(await libvirtdAnswers())) {
    findings.push({
      severity: 'problem',
      what: 'libvirtd does not answer: guests run on, but none can be started, stopped or looked at',
      fix: 'systemctl restart libvirtd, or look into its log; "folsom up" starts it again where no service manager does',
    });
  }
  for (const { pid, hostsFile } of await leftoverDhcpServers()) {
    findings.push({
      severity: 'problem',
      what: `process ${pid} is the DHCP server of a cloud that was deleted (${hostsFile})`,
      fix: `kill ${pid}, or start the cloud again: it does so`,
    });
  }
  return findings;
}

async function freeSpace(layout: Layout, look?: LookAtDisk): Promise<Finding[]> {
  const free = await freeMib(layout.dir, look);
  if (free === undefined) return [];
  if (free >= FREE_MIB_MIN)
    return [{ severity: 'ok', what: `the disk of ${layout.dir} has ${free} MiB free` }];
  return [
    {
      severity: free < FULL_MIB ? 'problem' : 'warning',
      what: `the disk of ${layout.dir} ${free < FULL_MIB ? 'is full' : 'is nearly full'}: ${free} MiB are free`,
      fix: 'remove images, objects or guests that nobody needs, or give it a larger disk',
    },
  ];
}

/** Below these a start is refused, and a person is warned. */
const FULL_MIB = DISK_FULL_BYTES / 1024 ** 2;
const FREE_MIB_MIN = 1024;

/** /dev/kvm and libvirt's word alone are not enough: only the processor's own flag tells. */
async function virtualisation(): Promise<Finding[]> {
  const cpuinfo = await readFile('/proc/cpuinfo', 'utf8').catch(() => '');
  if (/^flags\s*:.*\b(vmx|svm)\b/m.test(cpuinfo) && (await exists('/dev/kvm'))) {
    return [{ severity: 'ok', what: 'the processor virtualises (KVM)' }];
  }
  return [
    {
      severity: 'warning',
      what: 'the processor offers no virtualisation here: guests run in emulation, several times slower',
      fix: 'switch on VT-x/AMD-V in the firmware, or nested virtualisation on the outer host',
    },
  ];
}

/** Whether what reads guests' bytes can be kept in. */
async function imageTools(): Promise<Finding[]> {
  if ((await confinement()).kind === 'sealed') {
    return [{ severity: 'ok', what: 'image tools can open nothing but their files' }];
  }
  return [
    {
      severity: 'warning',
      what: 'image tools cannot be confined here (no namespaces): only limits and the inspection of images hold them',
      fix: 'run as root with CAP_SYS_ADMIN, or allow unprivileged user namespaces',
    },
  ];
}

const OLDEST_SANE_TIME = Date.UTC(2024, 0, 1);

async function clock(now: () => number): Promise<Finding[]> {
  if (now() < OLDEST_SANE_TIME) {
    return [
      {
        severity: 'problem',
        what: `the clock says ${new Date(now()).toISOString()}: tokens and certificates will be refused`,
        fix: 'set the clock, and keep it right with NTP',
      },
    ];
  }
  return [{ severity: 'ok', what: `the clock says ${new Date(now()).toISOString()}` }];
}

async function extendedAttributes(layout: Layout): Promise<Finding[]> {
  if (!(await exists(layout.dir))) return [];
  const folder = await mkdtemp(join(layout.dir, '.doctor-'));
  try {
    const file = join(folder, 'probe');
    await writeFile(file, '');
    await run(['setfattr', '-n', 'user.folsom', '-v', 'x', file], { timeoutMs: 5_000 });
    return [{ severity: 'ok', what: `the file system of ${layout.dir} keeps extended attributes` }];
  } catch (error) {
    const missing = (error as Error).message.includes('ENOENT');
    return [
      missing
        ? { severity: 'ok', what: 'extended attributes not examined (setfattr is not installed)' }
        : {
            severity: 'problem',
            what: `the file system of ${layout.dir} keeps no extended attributes: object storage needs them`,
            fix: 'put the state directory on XFS or ext4',
          },
    ];
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function ports({ layout, ports, hostIp }: DoctorOptions): Promise<Finding[]> {
  if (await readRunning(layout))
    return [{ severity: 'ok', what: 'the cloud of this state directory is running' }];
  const findings: Finding[] = [];
  for (const name of Object.keys(PORTS) as PortName[]) {
    if (await isOpen(hostOfPort(name, hostIp), ports[name])) {
      findings.push({
        severity: 'problem',
        what: `port ${ports[name]} (${name}) on ${hostOfPort(name, hostIp)} is in use by another program`,
        fix: 'stop that program, or start with --ports-offset N',
      });
    }
  }
  return findings.length > 0 ? findings : [{ severity: 'ok', what: `all ports are free on ${hostIp}` }];
}

/** Files with passwords or keys that others on this machine can read. */
async function secretFiles(layout: Layout): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const file of [layout.secrets, layout.openrc, layout.openrcDemo, ...(await keyFiles(layout))]) {
    const info = await stat(file).catch(() => undefined);
    if (info && (info.mode & 0o077) !== 0) {
      findings.push({
        severity: 'problem',
        what: `${file} holds secrets and others can read it`,
        fix: `chmod 600 ${file}`,
      });
    }
  }
  return findings;
}

async function keyFiles(layout: Layout): Promise<string[]> {
  const names = await readdir(layout.keystone).catch(() => []);
  return names
    .filter(name => name.includes('key') || name.endsWith('.pem'))
    .map(name => join(layout.keystone, name));
}

const OLD_DEFAULTS: { option: RegExp; value: RegExp; what: string; fix: string }[] = [
  {
    option: /^admin_token$/,
    value: /^ADMIN$/,
    what: 'admin_token is the published default ADMIN: anybody is administrator',
    fix: 'set admin_token to a long random value, or remove it once an administrator exists',
  },
  {
    option: /^rabbit_password$/,
    value: /^guest$/,
    what: 'RabbitMQ is used as guest/guest',
    fix: 'create a user of its own: rabbitmqctl add_user',
  },
  {
    option: /^(vncserver_listen|novncproxy_host)$/,
    value: /^0\.0\.0\.0$/,
    what: 'guest screens listen on every address',
    fix: 'listen on the management address only',
  },
  {
    option: /^use_forwarded_for$/,
    value: /^(true|1|yes|on)$/i,
    what: 'X-Forwarded-For is trusted: a guest could ask for another guest’s metadata',
    fix: 'switch use_forwarded_for off unless a proxy sets that header',
  },
  {
    option: /^(insecure|auth_insecure)$/,
    value: /^(true|1|yes|on)$/i,
    what: 'certificates of other services are not checked',
    fix: 'give the CA instead of insecure = true',
  },
  {
    option: /^auth_strategy$/,
    value: /^noauth$/,
    what: 'auth_strategy is noauth: nobody needs a password',
    fix: 'set auth_strategy = keystone',
  },
  {
    option: /^(admin_)?password$|^swift_hash_path_suffix$|^connection$|^sql_connection$/,
    value: /^(%SERVICE_PASSWORD%|changeme|secrete?|password|mysql:\/\/(\w+):\2@.*)$/,
    what: 'a password is a published example or equals its user name',
    fix: 'choose a generated password',
  },
];

/** Old defaults in one configuration file, and whether others can read its secrets. */
export async function oldDefaults(file: string): Promise<Finding[]> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  if (text === undefined) return [{ severity: 'warning', what: `${file} cannot be read` }];
  const findings: Finding[] = [];
  let secret = false;
  for (const [index, line] of text.split('\n').entries()) {
    const match = /^\s*([\w-]+)\s*[=:]\s*(.*?)\s*$/.exec(line);
    if (!match || line.trimStart().startsWith('#')) continue;
    const [, option = '', value = ''] = match;
    if (/password|token|secret|connection/.test(option)) secret = true;
    for (const rule of OLD_DEFAULTS) {
      if (rule.option.test(option) && rule.value.test(value)) {
        findings.push({ severity: 'problem', what: `${file}:${index + 1}: ${rule.what}`, fix: rule.fix });
      }
    }
  }
  const info = await stat(file);
  if (secret && (info.mode & 0o004) !== 0) {
    findings.push({
      severity: 'problem',
      what: `${file} holds secrets and everybody can read it`,
      fix: `chmod 600 ${file}`,
    });
  }
  return findings;
}
