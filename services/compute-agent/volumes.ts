import type { Database } from '@folsom/db';
import type { VolumeAttachment } from './driver.ts';

/** Volumes that an instance uses, from its block device mappings that carry a connection. */
export async function attachmentsOf(db: Database, instanceUuid: string): Promise<VolumeAttachment[]> {
  const rows = (await db
    .knex('block_device_mapping')
    .where({ instance_uuid: instanceUuid, deleted: 0 })
    .whereNotNull('volume_id')
    .whereNotNull('connection_info')
    .orderBy('id')) as Record<string, string | number>[];
  return rows.flatMap(row => {
    const connectionInfo = parse(String(row.connection_info));
    if (connectionInfo === undefined) return [];
    return [
      {
        volumeId: String(row.volume_id),
        mountDevice: String(row.device_name),
        connectionInfo: { serial: row.volume_id, ...connectionInfo },
        deleteOnTermination: row.delete_on_termination === 1,
      },
    ];
  });
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value = JSON.parse(text) as unknown;
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
