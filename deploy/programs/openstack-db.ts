import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CommandLineError, type Flag, formatHelp, parseFlags } from '@folsom/config';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { withOption } from '../ini-edit.ts';
import { readLine } from '../read-line.ts';

const USAGE = 'openstack-db --service SERVICE --init|--drop [options]';
const FLAGS: readonly Flag[] = [
  {
    name: '--init',
    isSwitch: true,
    help: 'Make the database and its user, write them into the configuration, make the tables',
  },
  { name: '--drop', isSwitch: true, help: 'Delete the database and its user' },
  { name: '--service', short: '-s', metavar: 'SERVICE', help: 'keystone, glance or nova' },
  {
    name: '--password',
    short: '-p',
    metavar: 'PASSWORD',
    help: "Password of the service's user (default: the service's name)",
  },
  {
    name: '--rootpw',
    short: '-r',
    metavar: 'PASSWORD',
    help: "Password of the database's root (default: asked for)",
  },
  { name: '--rootuser', metavar: 'USER', help: 'Who may make databases and users there (default: root)' },
  {
    name: '--host',
    metavar: 'HOST',
    help: 'Database server, with its port after a colon (default: localhost)',
  },
  { name: '--confdir', metavar: 'DIR', help: 'Where the configuration files are (default: /etc)' },
  { name: '--yes', short: '-y', isSwitch: true, help: 'Do not ask' },
];

type Service = 'keystone' | 'glance' | 'nova';

/** Where each service is told its database. */
const CONF: Record<Service, { files: string[]; section: string; option: string }> = {
  keystone: { files: ['keystone/keystone.conf'], section: 'sql', option: 'connection' },
  glance: {
    files: ['glance/glance-api.conf', 'glance/glance-registry.conf'],
    section: 'DEFAULT',
    option: 'sql_connection',
  },
  nova: { files: ['nova/nova.conf'], section: 'DEFAULT', option: 'sql_connection' },
};

/** Whence the service's user may come. */
const FROM = ['localhost', '%'];

/** openstack-db: makes a service's database, as the distributions' own program of that name. */
export async function main(argv: string[]): Promise<number> {
  let given: ReturnType<typeof parseFlags>;
  try {
    given = parseFlags(FLAGS, argv);
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    return usage(error.message);
  }
  const { values } = given;
  if (given.help) {
    process.stdout.write(formatHelp(USAGE, FLAGS));
    return 0;
  }
  const service = values.service as Service;
  if (!Object.hasOwn(CONF, String(values.service)))
    return usage('--service is one of keystone, glance, nova');
  if ((values.init === true) === (values.drop === true)) return usage('one of --init and --drop is needed');
  const host = String(values.host ?? 'localhost');
  const rootpw =
    values.rootpw === undefined
      ? ask("Please enter the password for the 'root' MySQL user: ")
      : String(values.rootpw);
  const root = await openDatabase({
    connection: `mysql://${String(values.rootuser ?? 'root')}:${encodeURIComponent(rootpw)}@${host}/mysql`,
  });
  try {
    if (values.drop) return await drop(root, service, values.yes === true);
    const password = String(values.password ?? service);
    const connection = `mysql://${service}:${encodeURIComponent(password)}@${host}/${service}`;
    if (!(await create(root, service, password))) return 1;
    for (const file of CONF[service].files)
      configure(join(String(values.confdir ?? '/etc'), file), service, connection);
    await makeTables(connection, service);
    print('Complete!');
    return 0;
  } finally {
    await root.close();
  }
}

async function exists(root: Database, service: Service): Promise<boolean> {
  const [rows] = (await root.knex.raw('SHOW DATABASES LIKE ?', [service])) as [unknown[]];
  return rows.length > 0;
}

async function create(root: Database, service: Service, password: string): Promise<boolean> {
  if (await exists(root, service)) {
    process.stderr.write(
      `Database '${service}' already exists. Please consider first running:\nopenstack-db --drop --service ${service}\n`,
    );
    return false;
  }
  print('Creating database');
  await root.knex.raw('CREATE DATABASE ??', [service]);
  for (const from of FROM) {
    await root.knex.raw('CREATE USER IF NOT EXISTS ?@? IDENTIFIED BY ?', [service, from, password]);
    await root.knex.raw('ALTER USER ?@? IDENTIFIED BY ?', [service, from, password]);
    await root.knex.raw('GRANT ALL PRIVILEGES ON ??.* TO ?@?', [service, service, from]);
  }
  return true;
}

async function drop(root: Database, service: Service, sure: boolean): Promise<number> {
  if (!(await exists(root, service))) {
    process.stderr.write(`Database '${service}' does not exist\n`);
    return 1;
  }
  if (
    !sure &&
    !/^y/i.test(ask(`Database '${service}' and all that is in it will be deleted. Continue? (y/n): `))
  )
    return 1;
  await root.knex.raw('DROP DATABASE ??', [service]);
  for (const from of FROM) await root.knex.raw('DROP USER IF EXISTS ?@?', [service, from]);
  print('Complete!');
  return 0;
}

/** Writes the connection into a file that is there; a host without one has no such service. */
function configure(file: string, service: Service, connection: string): void {
  if (!existsSync(file)) return;
  const { section, option } = CONF[service];
  print(`Updating '${file}'`);
  writeFileSync(`${file}.new`, withOption(readFileSync(file, 'utf8'), section, option, connection), {
    mode: statSync(file).mode & 0o777,
  });
  renameSync(`${file}.new`, file);
}

async function makeTables(connection: string, service: Service): Promise<void> {
  print(`Initializing the ${service} database, please wait...`);
  const db = await openDatabase({ connection });
  try {
    await dbSync(db, service);
  } finally {
    await db.close();
  }
}

function ask(question: string): string {
  process.stdout.write(question);
  return readLine();
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

function usage(problem: string): number {
  process.stderr.write(`Usage: ${USAGE}\n\nopenstack-db: error: ${problem}\n`);
  return 2;
}
