import type { Config } from '@folsom/config';
import type { World } from '@folsom/core';
import { type Database, dbSync } from '@folsom/db';
import { keystoneSigningOptions, keystoneTokenOptions } from '../options.ts';
import { setUpPki } from '../pki/setup.ts';
import { flushTokens } from '../repositories/tokens.ts';
import { forgetRetiredKeys, rotateTokenKeys } from '../tokens/jwt-keys.ts';

export interface CommandContext {
  config: Config;
  world: World;
  /** Opened on first use; closed by the program. */
  database(): Promise<Database>;
  print(line: string): void;
  /** Arguments after the command. */
  args: readonly string[];
}

export interface Command {
  help: string;
  run(context: CommandContext): Promise<number>;
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
