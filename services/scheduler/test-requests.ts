import { toSqlTime } from '@folsom/db';
import type { FlavorWire, RequestSpec } from '@folsom/nova/rpc/wire';

/** The flavor of every test's boot unless it says otherwise. */
export const flavor = {
  id: 2,
  name: 'm1.tiny',
  memory_mb: 512,
  vcpus: 1,
  root_gb: 0,
  ephemeral_gb: 0,
  extra_specs: {},
};

/** What the API asks for: instances of a flavor, with what is special about them. */
export const spec = (
  uuids: string[],
  properties: Record<string, unknown> = {},
  type: object = flavor,
): RequestSpec =>
  ({
    image: { id: 'image', properties: {} },
    instance_type: type as FlavorWire,
    instance_uuids: uuids,
    instance_properties: {
      image_ref: 'image',
      memory_mb: 512,
      vcpus: 1,
      root_gb: 0,
      ephemeral_gb: 0,
      ...properties,
    },
  }) as unknown as RequestSpec;

/** The row of an instance that waits for a host. */
export const instanceRow = (n: number, now: number, changes: Record<string, unknown>) => ({
  uuid: `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`,
  project_id: 'p',
  user_id: 'u',
  instance_type_id: flavor.id,
  image_ref: 'image',
  vm_state: 'building',
  task_state: 'scheduling',
  power_state: 0,
  memory_mb: 512,
  vcpus: 1,
  root_gb: 0,
  ephemeral_gb: 0,
  deleted: 0,
  created_at: toSqlTime(now),
  ...changes,
});
