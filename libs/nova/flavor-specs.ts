import { inBatches } from '@folsom/db';
import { alive, type Sql } from './rows.ts';

/** Extra specs of many flavors, by row id; flavors without any are missing. */
export async function extraSpecsOfFlavors(
  sql: Sql,
  flavorRowIds: readonly number[],
): Promise<Map<number, Record<string, string>>> {
  const rows = await inBatches(flavorRowIds, batch =>
    sql('instance_type_extra_specs')
      .where(alive)
      .whereIn('instance_type_id', batch)
      .orderBy('id')
      .select('instance_type_id', 'key', 'value'),
  );
  const specs = new Map<number, Record<string, string>>();
  for (const { instance_type_id, key, value } of rows) {
    specs.set(instance_type_id, { ...specs.get(instance_type_id), [key]: value });
  }
  return specs;
}
