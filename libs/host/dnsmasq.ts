import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { end, runningPid, signal } from './daemons.ts';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

/** One dnsmasq, serving one bridge. */
export interface DnsmasqOptions {
  /** Folder for its hosts file (`nova-br100.conf`) and pid file (`nova-br100.pid`), as Folsom names them. */
  directory: string;
  device: string;
  listenAddress: string;
  /** Tag of the range: the network's label. */
  label: string;
  rangeStart: string;
  netmask: string;
  leaseSeconds: number;
  leasesMax: number;
  domain: string;
  /** Program called for every lease change. */
  script: string;
  /** Environment of dnsmasq and so of the script (`NETWORK_ID`, ...). */
  env: Readonly<Record<string, string>>;
  /** Folsom's dnsmasq_config_file; empty for none. */
  configFile: string;
  /** Name server to forward to instead of the host's. */
  server: string | null;
  /** File of further names that guests are told, in the form of /etc/hosts. */
  namesFile?: string;
  /** Whether some cards get other options than the rest (`nova-br100.opts`). */
  ownOptions?: boolean;
  /** Keep root's rights: only where its files lie in folders that others may not enter. */
  asRoot: boolean;
}

const optionsFile = ({ directory, device }: DnsmasqOptions): string => join(directory, `nova-${device}.opts`);

/** Controls the dnsmasq of a bridge. It outlives us and is found again by its pid file. */
export function dnsmasq(runner: Runner, options: DnsmasqOptions) {
  const hostsFile = join(options.directory, `nova-${options.device}.conf`);
  const pidFile = join(options.directory, `nova-${options.device}.pid`);
  return {
    hostsFile,
    pid: () => runningPid('dnsmasq', pidFile, hostsFile),

    /**
     * Writes the hosts file and makes the server read it, starting the server if it does not run. Leases are in its
     * memory alone: with `forget` it starts anew and knows those only that its script tells it. `cards` are lines of options.
     */
    async update(
      hosts: readonly string[],
      { forget = false, cards = [] }: { forget?: boolean; cards?: readonly string[] } = {},
    ): Promise<void> {
      if (options.ownOptions) await writeHosts(optionsFile(options), cards);
      await writeHosts(hostsFile, hosts);
      const pid = await runningPid('dnsmasq', pidFile, hostsFile);
      if (pid !== undefined && !forget) return signal(runner, pid, 'HUP');
      if (pid !== undefined) await end(runner, pid);
      await start(runner, options, hostsFile, pidFile);
    },

    async stop(): Promise<void> {
      const pid = await runningPid('dnsmasq', pidFile, hostsFile);
      if (pid !== undefined) await signal(runner, pid, 'KILL');
      await rm(pidFile, { force: true });
      await rm(hostsFile, { force: true });
      await rm(optionsFile(options), { force: true });
    },
  };
}

/** A line of the hosts file: this card is called so and gets this address. */
export const dhcpHost = (entry: {
  mac: string;
  hostname: string;
  domain: string;
  address: string;
  /** A word that options of this card alone go by. */
  tag?: string | undefined;
}): string =>
  `${entry.mac},${entry.tag === undefined ? '' : `set:${entry.tag},`}${entry.hostname}.${entry.domain},${entry.address}`;

/** A line of the options file: who has this tag is told of no gateway. */
export const withoutGateway = (tag_: string): string => `tag:${tag_},option:router`;

/** Replaces a file that dnsmasq reads, whole. */
export async function writeHosts(path: string, hosts: readonly string[]): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const next = `${path}.new`;
  await writeFile(next, hosts.map(line => `${line}\n`).join(''));
  await chmod(next, 0o644); // dnsmasq reads it as nobody
  await rename(next, path);
}

async function start(
  runner: Runner,
  options: DnsmasqOptions,
  hostsFile: string,
  pidFile: string,
): Promise<void> {
  await rm(pidFile, { force: true });
  const arguments_ = [
    '--strict-order',
    '--bind-interfaces',
    `--conf-file=${options.configFile}`,
    `--domain=${options.domain}`,
    `--pid-file=${pidFile}`,
    `--listen-address=${options.listenAddress}`,
    '--except-interface=lo',
    `--dhcp-range=set:${tag(options.label)},${options.rangeStart},static,${options.netmask},${options.leaseSeconds}s`,
    `--dhcp-lease-max=${options.leasesMax}`,
    `--dhcp-hostsfile=${hostsFile}`,
    `--dhcp-script=${options.script}`,
    '--leasefile-ro',
    ...(options.ownOptions ? [`--dhcp-optsfile=${optionsFile(options)}`] : []),
    ...(options.namesFile === undefined ? [] : [`--addn-hosts=${options.namesFile}`]),
    ...(options.asRoot ? ['--user=root'] : []),
    ...(options.server === null ? [] : ['-h', '-R', `--server=${options.server}`]),
  ];
  const environment = Object.entries(options.env).map(([name, value]) => `${name}=${value}`);
  await runner(['env', ...environment, 'dnsmasq', ...arguments_], { timeoutMs: HOST_COMMAND_MS });
}

/** A label as dnsmasq can take it in an option separated by commas. */
const tag = (label: string): string => label.replace(/[^\w.-]/g, '_') || 'network';
