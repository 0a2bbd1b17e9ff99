import { join } from 'node:path';
import type { World } from '@folsom/core';
import { type Pass, writeReconCache } from '@folsom/swift';
import type { AnyDb, DbFileOptions } from './database.ts';
import { openWhenFree } from './open-when-free.ts';
import type { DbKindName } from './schema.ts';
import { databasesOf, usableDevices } from './walk.ts';

export interface DbAuditorParts {
  kind: DbKindName;
  Kind: new (path: string, options: DbFileOptions) => AnyDb;
  devices: string;
  mountCheck: boolean;
  reconCachePath: string;
  world: World;
}

const REPORT_SECONDS = 3600;

/** One pass of an auditor: every database is opened and read; damaged ones go to quarantine. */
export function dbAuditPass(
  parts: DbAuditorParts,
): Pass & { counts: () => { passed: number; failed: number } } {
  const { kind, world } = parts;
  const name = `swift-${kind}-auditor`;
  const log = world.log.child({ service: name });
  const recon = join(parts.reconCachePath, `${kind}.recon`);
  let passed = 0;
  let failed = 0;
  let reported = world.clock.now() / 1000;
  const report = (): void => {
    log.info('audits', { passed, failed });
    writeReconCache(
      recon,
      {
        [`${kind}_audits_since`]: reported,
        [`${kind}_audits_passed`]: passed,
        [`${kind}_audits_failed`]: failed,
      },
      { log, random: world.random },
    );
  };
  return {
    name,
    counts: () => ({ passed, failed }),
    run: async signal => {
      const began = world.clock.now() / 1000;
      log.info('begin audit pass');
      const devices = await usableDevices(parts.devices, parts.mountCheck, log);
      for await (const { path } of databasesOf(parts.devices, kind, devices)) {
        if (signal.aborted) return;
        let db: AnyDb | null = null;
        try {
          db = await openWhenFree(parts.Kind, path, { world: { ...world, log } });
          db.verify();
          passed++;
        } catch (error) {
          failed++;
          log.error('a database did not pass', { path, error });
        } finally {
          db?.close();
        }
        if (world.clock.now() / 1000 - reported >= REPORT_SECONDS) {
          report();
          reported = world.clock.now() / 1000;
          passed = 0;
          failed = 0;
        }
      }
      const seconds = world.clock.now() / 1000 - began;
      log.info('audit pass completed', { seconds, passed, failed });
      writeReconCache(recon, { [`${kind}_auditor_pass_completed`]: seconds }, { log, random: world.random });
    },
  };
}
