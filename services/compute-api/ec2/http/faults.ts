import { catalogue, Fault } from '@folsom/core';
import type { RenderedFault } from '@folsom/http';
import { escapeAll } from '@folsom/wire';
import type { FastifyRequest } from 'fastify';

/** What this front end refuses itself. */
export const ec2Fault = catalogue({
  /** Folsom's class for what has no name of its own. */
  EC2APIError: { status: 400, text: '%(reason)s' },
  UnknownError: { status: 400, text: 'An unknown error has occurred. Please try your request again.' },
  Unauthorized: { status: 400, text: 'Not Authorized' },
  InvalidRequest: { status: 400, text: 'The request is invalid.' },
  MissingParameter: { status: 400, text: 'The parameter %(name)s is missing.' },
  InvalidParameter: { status: 400, text: 'The parameter %(name)s is not valid.' },
  ParameterNameTooLong: { status: 400, text: 'The name of a parameter is too long.' },
  TooManyParameters: { status: 400, text: 'The request has too many parameters.' },
  InvalidParameterValue: { status: 400, text: '%(err)s' },
  InvalidInstanceIDMalformed: { status: 400, text: 'Invalid id: %(val)s (expecting "i-...").' },
  InstanceNotRunning: { status: 400, text: 'Instance %(instance_id)s is not running.' },
  InstanceNotFound: { status: 400, text: 'Instance %(instance_id)s could not be found.' },
  VolumeNotFound: { status: 400, text: 'Volume %(volume_id)s could not be found.' },
  SnapshotNotFound: { status: 400, text: 'Snapshot %(snapshot_id)s could not be found.' },
  ImageNotFound: { status: 400, text: 'Image %(image_id)s could not be found.' },
  InvalidGroup: { status: 400, text: 'Group not valid. Reason: %(reason)s' },
  InvalidProtocol: { status: 400, text: 'Invalid IP protocol %(protocol)s.' },
  AccessKeyLocked: { status: 403, text: 'Too many failed authentications.' },
});

/** A sentence of Folsom's for which it has no class. */
export const apiError = (reason: string): Fault => ec2Fault('EC2APIError', { reason });

/** How the answer to a fault is worded: its code and text. */
export type Wording = (fault: Fault) => Fault;
export type Wordings = Readonly<Record<string, Wording>>;

/** The same text under Folsom's class for everything. */
const asApiError: Wording = fault => apiError(fault.message);
export const says =
  (reason: string): Wording =>
  () =>
    apiError(reason);
const unknown: Wording = () => ec2Fault('UnknownError');

/** What domain faults are called here, whatever the action. What is not named keeps its name, which is Folsom's. */
const WORDINGS: Wordings = {
  InvalidKeypair: says('Keypair data is invalid'),
  KeypairLimitExceeded: says('Quota exceeded, too many key pairs.'),
  KeyPairExists: fault =>
    new Fault('KeyPairExists', 400, `Key pair '${String(fault.values.key_name)}' already exists.`),
  SecurityGroupExists: asApiError,
  SecurityGroupInUse: fault => ec2Fault('InvalidGroup', { reason: fault.message }),
  SecurityGroupLimitExceeded: says('Quota exceeded, too many security group rules.'),
  SecurityGroupRuleIncomplete: says('None Not enough parameters to build a valid rule'),
  InvalidSecurityGroupId: fault =>
    new Fault('SecurityGroupNotFound', 400, fault.message.replace(/ id should be integer/, ' not found.')),
  InvalidCidr: says('Invalid CIDR'),
  InvalidIpProtocol: fault => new Fault('400', 400, fault.message),
  InvalidInput: unknown,
  BundleNotFound: unknown,
};

/** A fault of the domain as this front end answers it. */
export function worded(fault: Fault, own: Wordings = {}): Fault {
  const word = own[fault.name] ?? WORDINGS[fault.name];
  return word ? word(fault) : fault;
}

const NOT_FOUND = '404 Not Found\r\nThe resource could not be found.\r\n\r\n';

/** Outer shape of every fault of the EC2 API. */
export function renderFault(fault: Fault, request: FastifyRequest): RenderedFault {
  // Paths beside the API are the business of the layer in front of it.
  if (fault.name === 'RouteNotFound' || fault.name === 'BadUrl') {
    return { status: 404, headers: { 'content-type': 'text/plain' }, body: NOT_FOUND };
  }
  const status = statusOf(fault);
  // Users never see what broke inside.
  const { name, message } = status === 500 ? ec2Fault('UnknownError') : fault;
  const code = name === 'AccessKeyLocked' ? '403' : name;
  return {
    status,
    headers: { 'content-type': 'text/xml', ...fault.headers },
    body:
      `<?xml version="1.0"?>\n<Response><Errors><Error><Code>${escapeAll(code)}</Code>` +
      `<Message>${escapeAll(message)}</Message></Error></Errors>` +
      `<RequestID>${escapeAll(request.requestId)}</RequestID></Response>`,
  };
}

/** Everything that Folsom's EC2 API refuses is a bad request, whatever the fault is elsewhere. */
function statusOf({ name, status }: Fault): number {
  if (name === 'AccessKeyLocked' || name === 'RequestTimeout') return status;
  if (name === 'InternalError') return 500;
  return status === 503 ? 503 : 400;
}
