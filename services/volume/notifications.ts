import { pythonIso, type RequestContext, type World } from '@folsom/core';
import type { Database } from '@folsom/db';
import { joinVolumes, type VolumeRow } from '@folsom/nova/volumes';
import { type Bus, createNotifier } from '@folsom/rpc';
import type { VolumeSettings } from './settings.ts';

/** `volume.<event>`, e.g. `create.start`, for whoever listens to notifications; `more` joins what every one of them has. */
export type UsageNotifier = (
  context: RequestContext,
  row: VolumeRow,
  event: string,
  more?: Readonly<Record<string, unknown>>,
) => Promise<void>;

/** As Python prints a time; the empty text for none. */
export const plainTime = (ms: number | null): string => (ms === null ? '' : pythonIso(ms).replace('T', ' '));

export function usageNotifier(options: {
  bus: Bus;
  db: Database;
  world: World;
  settings: VolumeSettings;
}): UsageNotifier {
  const { bus, db, world, settings } = options;
  const notify = createNotifier({
    bus,
    world,
    publisherId: `volume.${settings.host}`,
    drivers: settings.notification_driver,
    topics: settings.notification_topics,
  });
  return async (context, row, event, more = {}) => {
    if (settings.notification_driver.length === 0) return;
    const [volume] = await joinVolumes(db.knex, [row]);
    await notify(context, `volume.${event}`, {
      tenant_id: row.project_id,
      user_id: row.user_id,
      volume_id: row.id,
      volume_type: volume?.volume_type ?? null,
      display_name: row.display_name,
      launched_at: plainTime(row.launched_at),
      created_at: plainTime(row.created_at),
      status: row.status,
      snapshot_id: row.snapshot_id,
      size: row.size,
      ...more,
    });
  };
}
