import { maskText } from '@folsom/core';
import { type Database, DatabaseError, dbSync, dbVersion, putUnderVersionControl } from '@folsom/db';

export interface GlanceManageSeam {
  /** As configured; shown without its password. */
  connection: string;
  openDatabase(): Promise<Database>;
  /** Standard output and error, whole texts. */
  out(text: string): void;
  err(text: string): void;
}

export const GLANCE_MANAGE_USAGE = 'glance-manage [options] <cmd>';

/** A mistake that is answered with `ERROR: ` and one sentence. */
class CommandError extends Error {}

type Run = (db: Database, args: readonly string[], seam: GlanceManageSeam) => Promise<void>;

const COMMANDS: Readonly<Record<string, Run>> = {
  db_version: async (db, _args, seam) => seam.out(`${await controlled(db, seam)}\n`),

  db_sync: async (db, [version, current], seam) => {
    if (current !== undefined) await takeControl(db, seam, wholeNumber(current));
    await dbSync(db, 'glance', version === undefined ? undefined : wholeNumber(version));
  },

  upgrade: async (db, [version], seam) => {
    await controlled(db, seam);
    await dbSync(db, 'glance', version === undefined ? undefined : wholeNumber(version));
  },

  downgrade: async (db, [version], seam) => {
    if (version === undefined) throw new CommandError('downgrade requires a version argument');
    const at = await controlled(db, seam);
    if (wholeNumber(version) === at) return;
    throw new CommandError(
      `version ${version} cannot be reached from version ${at}: restore a backup taken at that version`,
    );
  },

  version_control: (db, [version], seam) =>
    takeControl(db, seam, version === undefined ? undefined : wholeNumber(version)),
};

/** Runs one glance-manage command line (without the program's own options) and gives the exit code. */
export async function runGlanceManage(seam: GlanceManageSeam, argv: readonly string[]): Promise<number> {
  const [name, ...args] = argv;
  if (name === undefined) {
    seam.out(`Usage: ${GLANCE_MANAGE_USAGE}\n\n`);
    return 1;
  }
  let db: Database | undefined;
  try {
    const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
    if (!command) throw new CommandError(`unrecognized command '${name}'`);
    db = await seam.openDatabase();
    await command(db, args, seam);
    return 0;
  } catch (error) {
    if (!(error instanceof CommandError || error instanceof DatabaseError)) throw error;
    seam.err(`ERROR: ${error.message}\n`);
    return 1;
  } finally {
    await db?.close();
  }
}

const shown = (seam: GlanceManageSeam): string => `database '${maskText(seam.connection)}'`;

async function controlled(db: Database, seam: GlanceManageSeam): Promise<number> {
  const version = await dbVersion(db, 'glance');
  if (version === null) throw new CommandError(`${shown(seam)} is not under migration control`);
  return version;
}

async function takeControl(db: Database, seam: GlanceManageSeam, version?: number): Promise<void> {
  if ((await dbVersion(db, 'glance')) !== null) {
    throw new CommandError(`${shown(seam)} is already under migration control`);
  }
  await putUnderVersionControl(db, 'glance', version);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new CommandError(`${JSON.stringify(text)} is not a version number`);
  return Number(text);
}
