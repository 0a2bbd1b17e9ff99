import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { coalesced } from '@folsom/core';
import { runningPid, signal } from './daemons.ts';
import { writeHosts } from './dnsmasq.ts';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

/** A dnsmasq that answers for the names it is given, and for no others. It outlives us and is found again by its pid file. */
export interface NameServer {
  /** File of its names, in the form of /etc/hosts. */
  hostsFile: string;
  /** Exactly these names are known. Starts the server if it does not run. */
  update(entries: readonly { name: string; address: string }[]): Promise<void>;
  stop(): Promise<void>;
}

export interface NameServerOptions {
  runner: Runner;
  /** Folder of its files. */
  directory: string;
  listenAddress: string;
  port: number;
  /** Keep root's rights: only where its files lie in folders that others may not enter. */
  asRoot: boolean;
}

export function nameServer(options: NameServerOptions): NameServer {
  const { runner, directory, listenAddress, port } = options;
  const hostsFile = join(directory, 'nova-dns.hosts');
  const pidFile = join(directory, 'nova-dns.pid');
  let wanted: readonly { name: string; address: string }[] = [];
  const write = coalesced(async () => {
    await mkdir(directory, { recursive: true });
    await writeHosts(
      hostsFile,
      wanted.map(({ name, address }) => `${address} ${name}`),
    );
    const pid = await runningPid('dnsmasq', pidFile, hostsFile);
    if (pid !== undefined) return signal(runner, pid, 'HUP');
    const words = [
      ...['--no-hosts', '--no-resolv', '--bind-interfaces', '--conf-file='],
      ...[`--listen-address=${listenAddress}`, `--port=${port}`, `--pid-file=${pidFile}`],
      // A name that is not known does not exist: nobody else is asked.
      ...[`--addn-hosts=${hostsFile}`, '--address=/#/', '--local-ttl=30'],
      ...(options.asRoot ? ['--user=root'] : []),
    ];
    await runner(['dnsmasq', ...words], { timeoutMs: HOST_COMMAND_MS });
  });
  return {
    hostsFile,
    async update(entries) {
      wanted = entries;
      await write();
    },
    async stop() {
      const pid = await runningPid('dnsmasq', pidFile, hostsFile);
      if (pid !== undefined) await signal(runner, pid, 'KILL');
    },
  };
}
