import { Fault } from '@folsom/core';
import type { ComputeFaultName, SharedFaultName } from '../../domain/faults.ts';
import { sharedStatus } from '../../domain/faults.ts';

/** Every fault that an operation may have to do with. */
export type FaultName = ComputeFaultName | SharedFaultName;

/**
 * The HTTP status of each fault of the domain, where the operation has no word of its own. Exceptions that Folsom's daemons
 * share bring theirs along: it is the `code` that they carry over the bus.
 */
const STATUS: Readonly<Record<ComputeFaultName, number>> = {
  InvalidServerStatus: 400,
  DeletedServersAdminOnly: 400,
  ListMarkerNotFound: 400,
  InvalidChangesSince: 400,
  InvalidFilterExpression: 400,
  BootCountTooLarge: 400,
  InvalidAvailabilityZone: 400,
  ImageMetadataLimitExceeded: 413,
  InvalidImageMetadata: 400,
  ImageMetadataNotFound: 404,
  SnapshotsNotPermitted: 400,
  SecurityGroupExists: 400,
  SecurityGroupInUse: 400,
  SecurityGroupRuleExists: 400,
  SecurityGroupRuleNotFound: 404,
  InvalidSecurityGroupId: 400,
  SourceGroupNotFound: 400,
  SecurityGroupRuleIncomplete: 400,
  NetworkInfoMissing: 400,
  NoFixedIpForFloatingIp: 400,
  FloatingIpNotAssociable: 400,
  LiveMigrationFailed: 400,
  NetworkNotAssociable: 400,
  NetworkRefused: 400,
  InvalidNetworkSize: 422,
  HypervisorNotFound: 404,
  NoHypervisorMatches: 404,
  UptimeNotImplemented: 501,
  HostUnknown: 404,
  UnexpectedHostAnswer: 400,
  PowerActionNotImplemented: 400,
  BundleNotFound: 404,
  InvalidBundle: 400,
  TooManyRegistrations: 503,
  CertificateMissing: 404,
  ConsoleNotFound: 404,
};

/** What any operation may throw: the policy's word, and that something behind the API is away. */
export const EVERYWHERE: readonly FaultName[] = [
  'PolicyNotAuthorized',
  'AdminRequired',
  'GlanceConnectionFailed',
  'RpcTimeout',
  'RpcClosed',
  'RpcUnavailable',
];

/** The status of a fault where the operation has no word of its own. */
export const statusOf = (name: string): number | undefined =>
  (STATUS as Readonly<Record<string, number | undefined>>)[name] ?? sharedStatus(name);

/** The fault with the status that this front has for it. */
export function withStatus(fault: Fault): Fault {
  const status = (STATUS as Readonly<Record<string, number | undefined>>)[fault.name];
  if (status === undefined || status === fault.status) return fault;
  const { name, message, values, headers, module } = fault;
  return new Fault(name, status, message, { values, headers, ...(module === undefined ? {} : { module }) });
}
