import { catalogue } from '@folsom/core';

/** Faults that only the compute agent makes. */
export const computeFault = catalogue(
  {
    ComputeResourcesUnavailable: { status: 503, text: 'Insufficient compute resources.' },
    ImageTooLarge: { status: 400, text: 'Image is larger than instance type allows' },
    ImageUnacceptable: { status: 400, text: 'Image %(image_id)s is unacceptable: %(reason)s' },
    InstanceDeployFailure: { status: 500, text: 'Failed to deploy instance: %(reason)s' },
    InstanceNotRunning: { status: 400, text: 'Instance %(instance_id)s is not running.' },
    InstancePasswordSetFailed: {
      status: 500,
      text: 'Failed to set admin password on %(instance)s because %(reason)s',
    },
    InstanceInterrupted: {
      status: 500,
      text: 'The compute service of %(host)s stopped during %(task)s; the work was undone.',
    },
    ImageRotationNotAllowed: { status: 400, text: 'Rotation is not allowed for snapshots' },
    RotationRequiredForBackup: { status: 400, text: 'Rotation param is required for backup image_type' },
    MigrationError: { status: 500, text: 'Migration error' },
    InvalidSharedStorage: { status: 400, text: '%(path)s is not on shared storage: %(reason)s' },
    InvalidLocalStorage: { status: 400, text: '%(path)s is not on local storage: %(reason)s' },
    DestinationDiskExists: {
      status: 400,
      text: 'The supplied disk path (%(path)s) already exists, it is expected not to exist.',
    },
    ConfigDriveUnknownFormat: {
      status: 500,
      text: 'Unknown config drive format %(format)s. Select one of iso9660 or vfat.',
    },
    NotImplementedError: { status: 501, text: 'This hypervisor cannot do that.' },
    DiskNotFound: { status: 404, text: 'No disk at %(location)s' },
    WrongVolume: { status: 500, text: 'The connection to volume %(volume_id)s leads to another one.' },
    IscsiDeviceNotFound: { status: 500, text: 'iSCSI device not found at %(device)s' },
    IscsiDeviceStays: { status: 500, text: 'The iSCSI device %(device)s is still there after the logout' },
    VolumeDriverNotFound: {
      status: 404,
      text: 'Could not find a handler for %(driver_type)s volume.',
    },
    HypervisorUnavailable: { status: 503, text: 'Connection to the hypervisor is broken on host: %(host)s' },
    StepTimeout: {
      status: 500,
      text: '%(operation)s: the step %(step)s made no progress for %(seconds)s seconds.',
    },
  },
  { module: 'nova.exception' },
);
