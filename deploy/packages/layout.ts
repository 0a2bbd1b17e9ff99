import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ALL_PACKAGES, COMMON, type ConfEntry, type Package, programsOf } from './catalogue.ts';
import { CONFS, sampleFile } from './sample.ts';
import { programTree, type TreeEntry } from './tree.ts';

/** Where the code is installed; the units name it. */
export const PREFIX = '/opt/folsom';
const ROOT = fileURLToPath(new URL('../..', import.meta.url)).replace(/\/$/, '');
const DEPLOY = `${ROOT}/deploy`;
const CONF_MODE = '0640';

export interface Contents {
  package: Package;
  /** Paths from the root of the machine, without the first slash. */
  entries: TreeEntry[];
  /** Absolute paths of files that stay as the operator has left them. */
  conffiles: string[];
}

/** Names of every program: those of deploy/package.json. */
export const programNames = (): string[] =>
  Object.keys((JSON.parse(readFileSync(`${DEPLOY}/package.json`, 'utf8')) as { bin: object }).bin).sort();

/** What a package puts on a machine. */
export function contentsOf(name: string): Contents {
  const found = ALL_PACKAGES.find(known => known.name === name);
  if (found === undefined) throw new Error(`there is no package ${name}`);
  const programs = programsOf(programNames()).get(name) ?? [];
  const entries: TreeEntry[] = [
    ...programs.map(program => ({
      path: `usr/bin/${program}`,
      link: `${PREFIX}/node_modules/.bin/${program}`,
    })),
    ...found.units.map(unit => ({
      path: `usr/lib/systemd/system/${unit}`,
      from: `${DEPLOY}/systemd/${unit}`,
      mode: 0o644,
    })),
    { path: `usr/share/doc/${name}/copyright`, from: `${ROOT}/LICENSE`, mode: 0o644 },
    ...declared(found),
    ...found.conf.map(confFile),
  ];
  if (found === COMMON) entries.push(...commonEntries());
  const conffiles = entries.map(({ path }) => `/${path}`).filter(path => path.startsWith('/etc/'));
  return { package: found, entries: entries.sort((a, b) => (a.path < b.path ? -1 : 1)), conffiles };
}

/** Users, folders and the rotation of logs, each in the form its tool reads. */
function declared({ name, user, folders = [] }: Package): TreeEntry[] {
  const entries: TreeEntry[] = [];
  if (user !== undefined) {
    entries.push({
      path: `usr/lib/sysusers.d/${name}.conf`,
      text: `u ${user.name} - "${user.comment}" /var/lib/${user.name} /usr/sbin/nologin\n`,
      mode: 0o644,
    });
    entries.push({ path: `etc/logrotate.d/${name}`, text: rotation(user.name), mode: 0o644 });
  }
  if (folders.length > 0) {
    const lines = folders.map(([path, mode, owner]) => `d ${path} ${mode} ${owner} ${owner} -\n`);
    entries.push({ path: `usr/lib/tmpfiles.d/${name}.conf`, text: lines.join(''), mode: 0o644 });
  }
  return entries;
}

/** A daemon begins a new file when its own was moved away. */
const rotation = (user: string): string => `/var/log/${user}/*.log {
    weekly
    rotate 8
    missingok
    notifempty
    compress
    delaycompress
    nocreate
}
`;

function confFile(entry: ConfEntry): TreeEntry {
  const path = entry.path.slice(1);
  if ('sample' in entry) {
    const conf = CONFS[entry.sample];
    if (conf === undefined) throw new Error(`no options of ${entry.sample}`);
    return { path, text: sampleFile(conf, entry.set), mode: Number.parseInt(CONF_MODE, 8) };
  }
  const mode = Number.parseInt(entry.mode ?? CONF_MODE, 8);
  return 'text' in entry ? { path, text: entry.text, mode } : { path, from: `${DEPLOY}/${entry.from}`, mode };
}

/** The tree below PREFIX, a starter for each program, and what packages and tarball do with running units. */
function commonEntries(): TreeEntry[] {
  const below = PREFIX.slice(1);
  const starters = programNames().map(program => ({
    path: `${below}/node_modules/.bin/${program}`,
    text: `#!/bin/sh\nexec ${PREFIX}/node_modules/.bin/node ${PREFIX}/deploy/bin/${program}.mjs "$@"\n`,
    mode: 0o755,
  }));
  const units = ALL_PACKAGES.flatMap(known => known.units).sort();
  return [
    ...programTree(ROOT).map(entry => ({ ...entry, path: `${below}/${entry.path}` })),
    ...starters,
    { path: `${below}/share/units`, from: `${DEPLOY}/packages/files/units`, mode: 0o755 },
    { path: `${below}/share/units.list`, text: `${units.join('\n')}\n`, mode: 0o644 },
  ];
}
