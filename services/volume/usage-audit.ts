import type { Config } from '@folsom/config';
import { adminContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { lastAuditPeriod } from '@folsom/nova/audit-period';
import { novaOptions } from '@folsom/nova/options';
import { volumesThereBetween } from '@folsom/nova/volumes';
import type { Bus } from '@folsom/rpc';
import { plainTime, usageNotifier } from './notifications.ts';
import { settingsOf } from './settings.ts';

/**
 * What nova-volume-usage-audit does: a notification `volume.exists` for every volume that was there in the last period of
 * `instance_usage_audit_period` that is over. `say` gets what the program prints.
 */
export async function auditVolumes(
  { config, db, bus, world }: { config: Config; db: Database; bus: Bus; world: World },
  say: (line: string) => void,
): Promise<void> {
  const { instance_usage_audit_period: unit } = config.of(novaOptions);
  const { begin, end } = lastAuditPeriod(unit, world.clock.now());
  const period = { audit_period_beginning: plainTime(begin), audit_period_ending: plainTime(end) };
  say('Starting volume usage audit');
  say(`Creating usages for ${period.audit_period_beginning} until ${period.audit_period_ending}`);
  const volumes = await volumesThereBetween(db.knex, begin, end);
  say(`Found ${volumes.length} volumes`);
  const notify = usageNotifier({ bus, db, world, settings: settingsOf(config) });
  for (const volume of volumes) {
    // The others are counted all the same.
    await notify(adminContext(), volume, 'exists', period).catch(error =>
      say(`volume ${volume.id}: ${(error as Error).message}`),
    );
  }
  say('Volume usage audit completed');
}
