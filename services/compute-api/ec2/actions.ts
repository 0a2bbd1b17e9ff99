import { addressActions } from './actions/addresses.ts';
import { createImageActions } from './actions/create-image.ts';
import { imageActions } from './actions/images.ts';
import { instanceAttributeActions } from './actions/instance-attributes.ts';
import { instanceActions } from './actions/instances.ts';
import { keyPairActions } from './actions/key-pairs.ts';
import { securityGroupActions } from './actions/security-groups.ts';
import { snapshotActions } from './actions/snapshots.ts';
import { volumeActions } from './actions/volumes.ts';
import { zoneActions } from './actions/zones.ts';
import type { Action } from './http/action.ts';
import { canonicalName } from './http/parameters.ts';

/** Everything the EC2 API does. */
export const EC2_ACTIONS: readonly Action[] = [
  ...zoneActions,
  ...imageActions,
  ...createImageActions,
  ...keyPairActions,
  ...securityGroupActions,
  ...instanceActions,
  ...instanceAttributeActions,
  ...addressActions,
  ...volumeActions,
  ...snapshotActions,
];

const byName = new Map(EC2_ACTIONS.map(action => [canonicalName(action.name), action]));

/** Actions are found under any spelling that Folsom takes for the same: `describe_instances`, too. */
export const actionNamed = (name: string): Action | undefined =>
  /^[A-Za-z0-9_]{1,64}$/.test(name) ? byName.get(canonicalName(name)) : undefined;
