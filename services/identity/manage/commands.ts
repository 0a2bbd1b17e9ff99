import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import { type Database, dbSync } from '@folsom/db';
import { keystoneOptions, keystoneSigningOptions, keystoneTokenOptions } from '../options.ts';
import { passwords } from '../passwords.ts';
import { setUpPki } from '../pki/setup.ts';
import { flushTokens } from '../repositories/tokens.ts';
import { forgetRetiredKeys, rotateTokenKeys } from '../tokens/jwt-keys.ts';

import { importLegacy, legacyCatalog } from './legacy.ts';
import { importNovaAuth } from './nova-auth.ts';

export interface CommandContext {
  config: Config;
  world: World;
  /** Opened on first use; closed by the program. */
  database(): Promise<Database>;
  /** Opens a database of an older keystone. */
  openOther(connection: string): Promise<Database>;
  print(line: string): void;
  /** Arguments after the command. */
  args: readonly string[];
}

export interface Command {
  help: string;
  run(context: CommandContext): Promise<number>;
}

/** A command was given without the argument it needs. */
export class MissingParameter extends Error {
  override readonly name = 'MissingParameter';
}

function required(args: readonly string[], name: string): string {
  const value = args[0];
  if (value === undefined) throw new MissingParameter(`Missing parameter: ${name}`);
  return value;
}

const ROWS_AT_A_TIME = 1_000;

/** The commands of keystone-manage, the original's and (marked) ours. */
export const commands: Readonly<Record<string, Command>> = {
  db_sync: {
    help: 'Sync the database.',
    run: async ({ database }) => {
      await dbSync(await database(), 'keystone');
      return 0;
    },
  },
  export_legacy_catalog: {
    help: 'Export the service catalog from a legacy database.',
    run: async ({ args, print, openOther }) => {
      const legacy = await openOther(required(args, 'old_db'));
      try {
        for (const line of await legacyCatalog(legacy)) print(line);
      } finally {
        await legacy.close();
      }
      return 0;
    },
  },
  import_legacy: {
    help: 'Import a legacy database.',
    run: async ({ args, config, database, openOther, world }) => {
      const legacy = await openOther(required(args, 'old_db'));
      try {
        const db = await database();
        await dbSync(db, 'keystone');
        const rounds = config.of(keystoneOptions).crypt_strength;
        await importLegacy({ db, passwords: passwords({ world, rounds }) }, legacy);
      } finally {
        await legacy.close();
      }
      return 0;
    },
  },
  import_nova_auth: {
    help: 'Import a dump of nova auth data into keystone.',
    run: async ({ args, config, database, world }) => {
      const file = required(args, 'dump_file');
      const rounds = config.of(keystoneOptions).crypt_strength;
      await importNovaAuth({ db: await database(), world, passwords: passwords({ world, rounds }) }, file);
      return 0;
    },
  },
  pki_setup: {
    help: 'Set up Key pairs and certificates for token signing and verification.',
    run: async ({ config, print }) => {
      const signing = config.of(keystoneSigningOptions);
      await setUpPki(
        {
          caCerts: signing.ca_certs,
          certfile: signing.certfile,
          keyfile: signing.keyfile,
          keyBits: signing.key_size,
          validDays: signing.valid_days,
        },
        print,
      );
      return 0;
    },
  },
  token_flush: {
    help: 'Delete expired tokens and old revocations from the database.',
    run: async ({ database, world, print }) => {
      const db = await database();
      let total = 0;
      for (;;) {
        const count = await flushTokens(db, world.clock.now(), ROWS_AT_A_TIME);
        total += count;
        if (count < ROWS_AT_A_TIME) break;
      }
      await db.knex('folsom_revocation').where('expires', '<', world.clock.now()).delete();
      print(`${total} expired tokens deleted`);
      return 0;
    },
  },
  token_rotate: {
    help: 'Make a new key pair for signed tokens; those signed before stay valid until they expire.',
    run: async ({ config, world, print }) => {
      const dir = config.of(keystoneSigningOptions).jwt_key_dir;
      const kid = rotateTokenKeys(dir, world.clock);
      const lifetimeMs = config.of(keystoneTokenOptions).expiration * 1000;
      const forgotten = forgetRetiredKeys(dir, lifetimeMs, world.clock);
      print(`tokens are now signed with key ${kid}`);
      for (const old of forgotten) print(`key ${old} is no longer accepted: its tokens have expired`);
      return 0;
    },
  },
};
