import { catalogue, type Fault, type FaultEntry, isFault } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import { networkFault } from '@folsom/nova/network-faults';
import { rpcFault } from '@folsom/rpc';

/**
 * What a domain function refuses beyond the exceptions that Folsom's daemons share (`@folsom/nova/faults`). No status
 * here: each front end says what its users get for a name.
 */
export const computeFault = catalogue({
  InvalidServerStatus: { text: 'Invalid server status: %(status)s' },
  DeletedServersAdminOnly: { text: 'Only administrators may list deleted instances' },
  ListMarkerNotFound: { text: 'marker [%(marker)s] not found' },
  InvalidChangesSince: { text: 'Invalid changes-since value' },
  InvalidFilterExpression: { text: '%(reason)s' },
  BootCountTooLarge: { text: 'max_count must be <= %(max)s' },
  InvalidAvailabilityZone: { text: 'The supplied availability zone is not valid.' },
  ImageMetadataLimitExceeded: { text: 'Image metadata limit exceeded' },
  InvalidImageMetadata: { text: 'Image metadata key %(reason)s' },
  ImageMetadataNotFound: { text: 'Invalid metadata key' },
  SnapshotsNotPermitted: { text: 'Instance snapshots are not permitted at this time.' },
  SecurityGroupExists: { text: 'Security group %(name)s already exists' },
  SecurityGroupInUse: { text: 'Security group is still in use' },
  SecurityGroupRuleExists: { text: 'This rule already exists in group %(group_id)s' },
  SecurityGroupRuleNotFound: { text: 'Rule (%(rule_id)s) not found' },
  InvalidSecurityGroupId: { text: 'Security group id should be integer' },
  SourceGroupNotFound: { text: 'Security group %(security_group_id)s not found.' },
  SecurityGroupRuleIncomplete: { text: 'Not enough parameters to build a valid rule.' },
  NetworkInfoMissing: { text: 'No nw_info cache associated with instance' },
  NoFixedIpForFloatingIp: { text: 'No fixed ips associated to instance' },
  FloatingIpNotAssociable: { text: 'Error. Unable to associate floating ip' },
  LiveMigrationFailed: { text: 'Live migration of instance %(instance_id)s to host %(host)s failed' },
  NetworkNotAssociable: {
    text: 'Cannot associate network %(network)s with project %(project_id)s: %(reason)s',
  },
  NetworkRefused: { text: '%(reason)s' },
  InvalidNetworkSize: { text: 'Network cidr or cidr_v6 is required' },
  HypervisorNotFound: { text: "Hypervisor with ID '%(id)s' could not be found." },
  NoHypervisorMatches: { text: "No hypervisor matching '%(match)s' could be found." },
  UptimeNotImplemented: { text: 'Virt driver does not implement uptime function.' },
  HostUnknown: { text: "Host '%(host)s' could not be found." },
  UnexpectedHostAnswer: { text: '%(answer)s' },
  PowerActionNotImplemented: { text: '%(reason)s' },
  BundleNotFound: { text: 'There is no bundle at %(location)s.' },
  InvalidBundle: { text: 'The bundle is not valid: %(reason)s.' },
  TooManyRegistrations: { text: 'Too many images are being registered; try again later.' },
  CertificateMissing: { text: 'There is no root certificate' },
  ConsoleNotFound: { text: 'Console %(console_id)s could not be found.' },
});

export type ComputeFaultName = Parameters<typeof computeFault>[0];

/** What reaches the domain from the daemons that it calls, and over the bus. */
const SHARED = { ...novaFault.entries, ...networkFault.entries, ...rpcFault.entries };
export type SharedFaultName = keyof typeof SHARED;

/** The status that a fault of the daemons brings along. */
export const sharedStatus = (name: string): number | undefined =>
  (SHARED as Readonly<Record<string, FaultEntry | undefined>>)[name]?.status;

/** Whether it says that something is not to be had, in words for who asked, rather than that something broke. */
export const isRefusal = (error: unknown): error is Fault => isFault(error) && error.status < 500;
