import { type FaultAnswer, ownText } from '@folsom/http/operation';
import { overLimit } from '../http/operation.ts';

type Faults = Readonly<Record<string, FaultAnswer>>;

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
