import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseConf, readConf, type SwiftConf } from '@folsom/swift';
import { proxySample } from './conf/swift-samples.mjs';

/** swift's conf files of an all-in-one cloud; the operator's, but for what the composition decides (addresses, paths, rings). */
export interface ObjectConf {
  proxy: SwiftConf;
  /** What a section of a file sets, its `[DEFAULT]` included; for a proxy-server.conf see `proxy`. */
  section: (file: StorageConfName, section: string) => Readonly<Record<string, string>>;
}

export type StorageConfName = 'account-server.conf' | 'container-server.conf' | 'object-server.conf';

const head = (
  file: string,
): string => `# ${file} of this cloud. It was made at the first start and is yours: no start changes it.
# Addresses, devices and rings are the start's own. Changes count at the next start.

`;

/** The sections that are read, with what an operator may look for in them first. */
const TEXTS: Record<StorageConfName | 'proxy-server.conf', string> = {
  'proxy-server.conf': proxySample(),
  'account-server.conf': `[account-auditor]

# How many seconds a deleted account is kept whole; until then a reseller can take the deletion back.
[account-reaper]
delay_reaping = 604800
`,
  'container-server.conf': `# Where containers may be synced to: host or host:port, separated by commas. Nobody unless listed.
[app:container-server]
#allowed_sync_hosts =

[container-updater]

[container-auditor]

[container-sync]
`,
  'object-server.conf': `[app:object-server]

[object-updater]

[object-auditor]

[object-replicator]

[object-expirer]
`,
};

/** Makes the files where there are none, taking over those that an older version read from `formerDir`, and reads them. */
export function openObjectConf(confDir: string, formerDir: string): ObjectConf {
  for (const [name, text] of Object.entries(TEXTS)) {
    const path = join(confDir, name);
    if (existsSync(path)) continue;
    const former = join(formerDir, name);
    const moved = former !== path && existsSync(former);
    writeFileSync(`${path}.new`, moved ? readFileSync(former) : head(name) + text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
    if (moved) renameSync(former, `${former}.moved`);
  }
  return readObjectConf(confDir);
}

/** Reads those of the files that are there. `proxy`: the text of a proxy-server.conf instead of that file. */
export function readObjectConf(confDir: string, proxy?: string): ObjectConf {
  const read = (name: string, text: string): SwiftConf => {
    const path = join(confDir, name);
    return existsSync(path) ? readConf(path) : parseConf(text, name);
  };
  const confs = new Map(Object.keys(TEXTS).map(name => [name, read(name, '')]));
  return {
    proxy:
      proxy === undefined ? read('proxy-server.conf', proxySample()) : parseConf(proxy, 'proxy-server.conf'),
    section: (file, section) => (confs.get(file) as SwiftConf).section(section).values,
  };
}
