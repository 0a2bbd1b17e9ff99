import { type FaultAnswer, ownText } from '@folsom/http/operation';
import { type Faults, overLimit } from '../http/operation.ts';
import type { FaultName } from '../http/statuses.ts';

const metadata: Faults = {
  MetadataLimitExceeded: overLimit,
  InvalidMetadataSize: [413, ownText],
  InvalidMetadata: [400, ownText],
};
const files: Faults = {
  OnsetFileLimitExceeded: overLimit,
  OnsetFilePathLimitExceeded: overLimit,
  OnsetFileContentLimitExceeded: overLimit,
};
const tooSmall: Faults = {
  InstanceTypeMemoryTooSmall: [400, ownText],
  InstanceTypeDiskTooSmall: [400, ownText],
};

export const metadataFaults = metadata;

/** The faults of a boot as the server resource words them. */
export const bootFaults: Faults = {
  ...metadata,
  ...files,
  ...tooSmall,
  TooManyInstances: overLimit,
  InstanceTypeNotFound: [400, ownText],
  ImageNotFound: [400, 'Can not find requested image'],
  ImageNotAuthorized: [400, 'Can not find requested image'],
  FlavorNotFound: [400, 'Invalid flavorRef provided.'],
  KeypairNotFound: [400, 'Invalid key_name provided.'],
  SecurityGroupNotFound: [400, ownText],
  SecurityGroupNotFoundForProject: [400, ownText],
};

/** What a boot refuses besides, in the domain's own words. */
export const bootThrows: readonly FaultName[] = [
  'BootCountTooLarge',
  'InvalidAvailabilityZone',
  'InstanceUserDataTooLarge',
  'InstanceUserDataMalformed',
  'NetworkNotFound',
  'NetworkNotFoundForUUID',
  'NetworkNotFoundForProject',
  'NoNetworksFound',
  'FixedIpInvalid',
  'FixedIpNotFoundForNetwork',
  'FixedIpAlreadyInUse',
  'InvalidBDMVolume',
  'InvalidBDMSnapshot',
  'InvalidVolume',
  'VolumeNotFound',
];

/** What is refused of the filters of a listing. */
export const listThrows: readonly FaultName[] = [
  'InvalidServerStatus',
  'DeletedServersAdminOnly',
  'ListMarkerNotFound',
  'InvalidChangesSince',
  'InvalidFilterExpression',
  'FlavorNotFound',
];

export const rebuildFaults: Faults = {
  ...metadata,
  ...files,
  ...tooSmall,
  ImageNotFound: [400, 'Cannot find image for rebuild'],
  ImageNotAuthorized: [400, 'Cannot find image for rebuild'],
  // Which filter refused is for administrators: the scheduler's log has it.
  NoValidHost: [400, 'No valid host was found.'],
};

export const resizeFaults: Faults = {
  FlavorNotFound: [400, 'Unable to locate requested flavor.'],
  CannotResizeToSameFlavor: [400, 'Resize requires a flavor change.'],
  ImageNotFound: [400, 'Image that the instance was started with could not be found.'],
  TooManyInstances: overLimit,
};

const notResized: FaultAnswer = [400, 'Instance has not been resized.'];
export const settleFaults: Faults = { MigrationNotFound: notResized, MigrationNotFoundByStatus: notResized };
