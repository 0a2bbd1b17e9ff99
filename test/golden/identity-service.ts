import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { silentLogger, systemClock, systemRandom } from '@folsom/core';
import { type Database, dbSync, openDatabase } from '@folsom/db';
import { identityOptions, type RunningIdentity, startIdentity } from '@folsom/identity';
import { setUpPki } from '@folsom/identity/testing';

/** The keystone that the recordings were made on: stock configuration, UUID tokens, certificates at hand. */
export interface GoldenIdentity {
  /** Starts it again as the recorder did: with PKI tokens (`pki`) or tokens of three seconds (`short`). */
  restart(how: string): Promise<void>;
  stop(): Promise<void>;
}

const SETTINGS: Record<string, Record<string, Record<string, string>>> = {
  pki: { signing: { token_format: 'PKI' } },
  short: { token: { expiration: '3' } },
};

export async function startGoldenIdentity(options: {
  dir: string;
  ports: { public: number; admin: number };
}): Promise<GoldenIdentity> {
  const { dir, ports } = options;
  const files = {
    certfile: join(dir, 'ssl/certs/signing_cert.pem'),
    keyfile: join(dir, 'ssl/private/signing_key.pem'),
    caCerts: join(dir, 'ssl/certs/ca.pem'),
  };
  await setUpPki({ ...files, keyBits: 2048, validDays: 30 }, () => {});
  const db: Database = await openDatabase({ connection: `sqlite:///${join(dir, 'keystone.db')}` });
  await dbSync(db, 'keystone');
  const start = (how?: string): Promise<RunningIdentity> => {
    const changed = how === undefined ? {} : (SETTINGS[how] ?? {});
    const config = configFrom(identityOptions, {
      ...changed,
      DEFAULT: { bind_host: '127.0.0.1', crypt_strength: '1000' },
      signing: {
        certfile: files.certfile,
        keyfile: files.keyfile,
        ca_certs: files.caCerts,
        jwt_key_dir: join(dir, 'keys'),
        ...changed.signing,
      },
    });
    const world = { clock: systemClock, random: systemRandom, log: silentLogger };
    return startIdentity({ config, db, bus: null, world, ports });
  };
  let running = await start();
  return {
    restart: async how => {
      await running.stop();
      running = await start(how);
    },
    stop: async () => {
      await running.stop();
      await db.close();
    },
  };
}
