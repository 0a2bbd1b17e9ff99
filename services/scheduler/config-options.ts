import { readFile } from 'node:fs/promises';
import type { World } from '@folsom/core';

const CHECK_MS = 5 * 60 * 1000;

/** The JSON object in scheduler_json_config_location, read again every five minutes; empty where there is none. */
export function configOptions(
  location: string,
  { clock, log }: World,
): () => Promise<Record<string, unknown>> {
  let data: Record<string, unknown> = {};
  let checked: number | undefined;
  return async () => {
    if (location === '' || (checked !== undefined && clock.monotonic() - checked < CHECK_MS)) return data;
    checked = clock.monotonic();
    try {
      const value: unknown = JSON.parse(await readFile(location, 'utf8'));
      if (typeof value === 'object' && value !== null) data = value as Record<string, unknown>;
    } catch (error) {
      log.error('cannot read scheduler_json_config_location', { location, error });
    }
    return data;
  };
}
