import { catalogue } from '@folsom/core';

/** Faults of nova by the names their exceptions have in Folsom, which is how they travel over the bus. */
export const novaFault = catalogue(
  {
    NotAuthorized: { status: 403, text: 'Not authorized.' },
    AdminRequired: { status: 403, text: 'User does not have admin privileges' },
    PolicyNotAuthorized: { status: 403, text: "Policy doesn't allow %(action)s to be performed." },
    Invalid: { status: 400, text: 'Unacceptable parameters.' },
    InvalidInput: { status: 400, text: 'Invalid input received: %(reason)s' },
    InvalidMetadata: { status: 400, text: 'Invalid metadata: %(reason)s' },
    InvalidMetadataSize: { status: 413, text: 'Invalid metadata size: %(reason)s' },
    InvalidVolume: { status: 400, text: 'Invalid volume: %(reason)s' },
    InvalidKeypair: { status: 400, text: 'Keypair data is invalid' },
    InvalidPortRange: { status: 400, text: 'Invalid port range %(from_port)s:%(to_port)s. %(msg)s' },
    InvalidIpProtocol: { status: 400, text: 'Invalid IP protocol %(protocol)s.' },
    InvalidCidr: { status: 400, text: 'Invalid cidr %(cidr)s.' },
    InvalidBDM: { status: 400, text: 'Block Device Mapping is Invalid.' },
    InvalidBDMVolume: { status: 400, text: 'Block Device Mapping is Invalid: failed to get volume %(id)s.' },
    InvalidBDMSnapshot: {
      status: 400,
      text: 'Block Device Mapping is Invalid: failed to get snapshot %(id)s.',
    },
    InvalidAggregateAction: {
      status: 400,
      text: "Cannot perform action '%(action)s' on aggregate %(aggregate_id)s. Reason: %(reason)s.",
    },
    InvalidHypervisorType: { status: 400, text: 'The supplied hypervisor type of is invalid.' },
    InstanceNotReady: { status: 400, text: 'Instance %(instance_id)s is not ready' },
    InstanceNotRunning: { status: 400, text: 'Instance %(instance_id)s is not running.' },
    UnableToMigrateToSelf: {
      status: 400,
      text: 'Unable to migrate instance (%(instance_id)s) to current host (%(host)s).',
    },
    ComputeServiceUnavailable: {
      status: 400,
      text: 'Compute service of %(host)s is unavailable at this time.',
    },
    ConsoleTypeInvalid: { status: 400, text: 'Invalid console type %(console_type)s ' },
    SecurityGroupExistsForInstance: {
      status: 400,
      text: 'Security group %(security_group_id)s is already associated with the instance %(instance_id)s',
    },
    SecurityGroupNotExistsForInstance: {
      status: 400,
      text: 'Security group %(security_group_id)s is not associated with the instance %(instance_id)s',
    },
    NotFound: { status: 404, text: 'Resource could not be found.' },
    InstanceNotFound: { status: 404, text: 'Instance %(instance_id)s could not be found.' },
    InstanceMetadataNotFound: {
      status: 404,
      text: 'Instance %(instance_uuid)s has no metadata with key %(metadata_key)s.',
    },
    MarkerNotFound: { status: 404, text: 'Marker %(marker)s could not be found.' },
    FlavorNotFound: { status: 404, text: 'Flavor %(flavor_id)s could not be found.' },
    FlavorAccessNotFound: {
      status: 404,
      text: 'Flavor access not found for %(flavor_id) / %(project_id) combination.',
    },
    FlavorAccessExists: {
      status: 409,
      text: 'Flavor access alreay exists for flavor %(flavor_id)s and project %(project_id)s combination.',
    },
    InstanceTypeNotFound: { status: 404, text: 'Instance type %(instance_type_id)s could not be found.' },
    InstanceTypeNotFoundByName: {
      status: 404,
      text: 'Instance type with name %(instance_type_name)s could not be found.',
    },
    InstanceTypeExists: { status: 409, text: 'Instance Type %(name)s already exists.' },
    InstanceTypeExtraSpecsNotFound: {
      status: 404,
      text: 'Instance Type %(instance_type_id)s has no extra specs with key %(extra_specs_key)s.',
    },
    ImageNotFound: { status: 404, text: 'Image %(image_id)s could not be found.' },
    ImageNotAuthorized: { status: 403, text: 'Not authorized for image %(image_id)s.' },
    GlanceConnectionFailed: { status: 503, text: 'The image service cannot be reached.' },
    KeypairNotFound: { status: 404, text: 'Keypair %(name)s not found for user %(user_id)s' },
    KeyPairExists: { status: 409, text: 'Key pair %(key_name)s already exists.' },
    SecurityGroupNotFound: { status: 404, text: 'Security group %(security_group_id)s not found.' },
    SecurityGroupNotFoundForProject: {
      status: 404,
      text: 'Security group %(security_group_id)s not found for project %(project_id)s.',
    },
    SecurityGroupNotFoundForRule: { status: 404, text: 'Security group with rule %(rule_id)s not found.' },
    MigrationNotFound: { status: 404, text: 'Migration %(migration_id)s could not be found.' },
    MigrationNotFoundByStatus: {
      status: 404,
      text: 'Migration not found for instance %(instance_id)s with status %(status)s.',
    },
    HostNotFound: { status: 404, text: 'Host %(host)s could not be found.' },
    ComputeHostNotFound: { status: 404, text: 'Compute host %(host)s could not be found.' },
    NetworkNotFound: { status: 404, text: 'Network %(network_id)s could not be found.' },
    NetworkNotFoundForUUID: { status: 404, text: 'Network could not be found for uuid %(uuid)s' },
    FixedIpInvalid: { status: 400, text: 'Fixed IP address %(address)s is invalid.' },
    FixedIpAlreadyInUse: {
      status: 500,
      text: 'Fixed IP address %(address)s is already in use on instance %(instance_uuid)s.',
    },
    AggregateNotFound: { status: 404, text: 'Aggregate %(aggregate_id)s could not be found.' },
    AggregateNameExists: { status: 409, text: 'Aggregate %(aggregate_name)s already exists.' },
    AggregateHostNotFound: { status: 404, text: 'Aggregate %(aggregate_id)s has no host %(host)s.' },
    AggregateHostExists: { status: 409, text: 'Aggregate %(aggregate_id)s already has host %(host)s.' },
    AggregateMetadataNotFound: {
      status: 404,
      text: 'Aggregate %(aggregate_id)s has no metadata with key %(metadata_key)s.',
    },
    ServiceNotFound: { status: 404, text: 'Service %(service_id)s could not be found.' },
    VolumeNotFound: { status: 404, text: 'Volume %(volume_id)s could not be found.' },
    CannotResizeToSameFlavor: { status: 400, text: 'When resizing, instances must change flavor!' },
    InstanceTypeMemoryTooSmall: {
      status: 400,
      text: "Instance type's memory is too small for requested image.",
    },
    InstanceTypeDiskTooSmall: { status: 400, text: "Instance type's disk is too small for requested image." },
    InstanceUserDataTooLarge: {
      status: 400,
      text: 'User data too large. User data must be no larger than %(maxsize)s bytes once base64 encoded. Your data is %(length)s bytes',
    },
    InstanceUserDataMalformed: { status: 400, text: 'User data needs to be valid base 64.' },
    OverQuota: { status: 413, text: 'Quota exceeded for resources: %(overs)s' },
    TooManyInstances: {
      status: 413,
      text: 'Quota exceeded for %(overs)s: Requested %(req)s, but already used %(used)s of %(allowed)s %(resource)s',
    },
    MetadataLimitExceeded: { status: 413, text: 'Maximum number of metadata items exceeds %(allowed)s' },
    OnsetFileLimitExceeded: { status: 413, text: 'Personality file limit exceeded' },
    OnsetFilePathLimitExceeded: { status: 413, text: 'Personality file path too long' },
    OnsetFileContentLimitExceeded: { status: 413, text: 'Personality file content too long' },
    KeypairLimitExceeded: { status: 413, text: 'Maximum number of key pairs exceeded' },
    SecurityGroupLimitExceeded: { status: 413, text: 'Maximum number of security groups or rules exceeded' },
    UnexpectedTaskStateError: {
      status: 409,
      text: 'unexpected task state: expecting %(expected)s but the actual state is %(actual)s',
    },
    NoValidHost: { status: 500, text: 'No valid host was found. %(reason)s' },
    ReservationNotFound: { status: 404, text: 'Quota reservation %(uuid)s could not be found.' },
  },
  { module: 'nova.exception' },
);

/** Status of a fault that came over the bus, by its name. */
export const novaFaultStatus = (name: string): number | undefined =>
  (novaFault.entries as Record<string, { status: number }>)[name]?.status;
