import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { isSecretName, MASK, maskText } from '@folsom/core';
import { openDatabase } from '@folsom/db';
import { run } from '@folsom/host';
import type { Print } from './commands.ts';
import type { Layout } from './layout.ts';

/** The end of the log is what a question is about, bytes. */
const LOG_BYTES = 8 * 1024 * 1024;
const PROGRAM_TIMEOUT_MS = 10_000;
const TAR_TIMEOUT_MS = 120_000;
/** Shorter texts stand everywhere: masking them would hide what is asked about. */
const SECRET_CHARS_MIN = 6;

/** What the host says of itself. */
const PROGRAMS: readonly (readonly string[])[] = [
  ['uname', '-a'],
  ['df', '-h'],
  ['free', '-m'],
  ['ip', '-br', 'addr'],
  ['ip', 'route'],
  ['iptables-save'],
  ['virsh', '-q', 'list', '--all'],
];
const DATABASES = ['keystone', 'glance', 'nova'] as const;

export interface BundleReports {
  version: string;
  now: number;
  /** What `folsom status`, `folsom doctor` and others print, by file name. */
  printed: Readonly<Record<string, (print: Print) => Promise<unknown>>>;
}

/**
 * Packs what somebody who helps needs to see: versions, states, configuration, the end of the log, how many rows each table
 * has, what the host says of its networks. Passwords, keys and tokens are masked by their names and wherever their values come
 * up again; no row of a database, no image, object or disk is in it.
 */
export async function supportBundle(
  layout: Layout,
  target: string,
  reports: BundleReports,
  print: Print,
): Promise<number> {
  await stat(layout.dir).catch(() => {
    throw new Error(`${layout.dir} is not the state directory of a cloud`);
  });
  if (await stat(target).catch(() => undefined)) throw new Error(`${target} is there already`);
  const scratch = await mkdtemp(join(tmpdir(), 'folsom-support-'));
  const name = basename(target).replace(/\.tar\.gz$|\.tgz$/, '');
  const folder = join(scratch, name);
  try {
    await mkdir(join(folder, 'etc'), { recursive: true });
    const confs = await configurations(layout);
    const secrets = await secretsOf(layout, confs);
    const put = (file: string, text: string) =>
      writeFile(join(folder, file), cover(text, secrets), { mode: 0o600 });
    for (const [file, text] of confs) await put(join('etc', file), maskedConf(text));
    await put('about.txt', await about(layout, reports));
    for (const [file, printed] of Object.entries(reports.printed)) await put(file, await textOf(printed));
    await put('databases.txt', await databases(layout));
    await put('host.txt', await host());
    await put('folsom.log', await endOfLog(layout));
    await run(['tar', '-czf', target, '-C', scratch, name], { timeoutMs: TAR_TIMEOUT_MS });
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  print(`${target} has versions, states, configuration, the end of the log and the host's networks`);
  print(
    'passwords, keys and tokens are masked; addresses and names are not: look into it before you give it away',
  );
  return 0;
}

async function textOf(report: (print: Print) => Promise<unknown>): Promise<string> {
  const lines: string[] = [];
  await report(line => lines.push(line)).catch((error: Error) => lines.push(`failed: ${error.message}`));
  return `${lines.join('\n')}\n`;
}

async function about(layout: Layout, { version, now }: BundleReports): Promise<string> {
  const system = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const settings = await readFile(layout.settings, 'utf8').catch(() => 'never started');
  return [
    `folsom ${version}, node ${process.version}, Linux ${release()}`,
    `made ${new Date(now).toISOString()} of ${layout.dir}`,
    settings.trim(),
    system.trim(),
    '',
  ].join('\n');
}

/** Files of the folder of configuration, by their path in it. */
async function configurations(layout: Layout): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const entries = await readdir(layout.etc, { recursive: true, withFileTypes: true }).catch(() => []);
  for (const entry of entries.filter(entry => entry.isFile())) {
    const path = join(entry.parentPath, entry.name);
    if (!/\.(conf|ini|json)$/.test(entry.name)) continue;
    const text = await readFile(path, 'utf8');
    found.set(path.slice(layout.etc.length + 1).replaceAll('/', '_'), text);
  }
  return found;
}

const OPTION = /^(\s*([\w.-]+)\s*[=:]\s*)(\S.*)$/;
/** Names that are secrets in files of swift: users of tempauth with their keys, salts of paths. */
const SECRET_OPTION = /^(user(64)?_.*|key|swift_hash_path_(suffix|prefix)|.*_key)$/;

const isSecretOption = (name: string): boolean => isSecretName(name) || SECRET_OPTION.test(name);

const maskedConf = (text: string): string =>
  text
    .split('\n')
    .map(line => {
      const [, head = '', name = '', value] = OPTION.exec(line) ?? [];
      if (value === undefined) return line;
      return isSecretOption(name) ? head + MASK : head + maskText(value);
    })
    .join('\n');

/** Every value that must not be in the bundle, longest first. */
async function secretsOf(layout: Layout, confs: Map<string, string>): Promise<string[]> {
  const found = new Set<string>();
  const kept = await readFile(layout.secrets, 'utf8').catch(() => '{}');
  for (const value of Object.values(JSON.parse(kept) as Record<string, unknown>)) found.add(String(value));
  for (const text of confs.values()) {
    for (const line of text.split('\n')) {
      const [, , name = '', value = ''] = OPTION.exec(line) ?? [];
      if (isSecretOption(name)) for (const word of value.split(/\s+/)) found.add(word);
      const [, password] = /:\/\/[^:/@\s]*:([^@/\s]+)@/.exec(value) ?? [];
      if (password !== undefined) found.add(password);
    }
  }
  // A word such as `True` or a role's name is no secret.
  return [...found].filter(one => one.length >= SECRET_CHARS_MIN).sort((a, b) => b.length - a.length);
}

const cover = (text: string, secrets: readonly string[]): string =>
  secrets.reduce((covered, secret) => covered.replaceAll(secret, MASK), text);

async function databases(layout: Layout): Promise<string> {
  const lines: string[] = [];
  for (const name of DATABASES) {
    const file = layout.db(name);
    const size = await stat(file).then(
      found => found.size,
      () => undefined,
    );
    lines.push(size === undefined ? `${name}: not there` : `${name}: ${size} bytes`);
    if (size === undefined) continue;
    const db = await openDatabase({ connection: `sqlite:///${file}` });
    try {
      const tables = await db.knex('sqlite_master').where({ type: 'table' }).orderBy('name').pluck('name');
      for (const table of tables as string[]) {
        const counted = await db.knex(table).count({ rows: '*' }).first();
        lines.push(`  ${table}: ${counted?.rows}`);
      }
    } finally {
      await db.close();
    }
  }
  return `${lines.join('\n')}\n`;
}

async function host(): Promise<string> {
  const parts: string[] = [];
  for (const argv of PROGRAMS) {
    const said = await run([...argv], { timeoutMs: PROGRAM_TIMEOUT_MS, allowedCodes: 'any' }).then(
      ({ stdout, stderr }) => stdout + stderr,
      (error: Error) => error.message,
    );
    parts.push(`# ${argv.join(' ')}\n${said.trimEnd()}\n`);
  }
  return parts.join('\n');
}

/** The log's last lines, whole ones. */
async function endOfLog(layout: Layout): Promise<string> {
  const file = await open(layout.log).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { size } = await file.stat();
    const length = Math.min(size, LOG_BYTES);
    const buffer = Buffer.alloc(length);
    await file.read(buffer, 0, length, size - length);
    const text = buffer.toString('utf8');
    const whole = size > length ? text.slice(text.indexOf('\n') + 1) : text;
    return whole.split('\n').map(maskText).join('\n');
  } finally {
    await file.close();
  }
}
