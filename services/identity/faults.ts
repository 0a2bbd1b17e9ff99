import { catalogue, type Fault, type FaultEntry } from '@folsom/core';

const MALFORMED =
  'The server could not comply with the request since it is either malformed or otherwise incorrect. ' +
  'The client is assumed to be in error.';

/** Every refusal of keystone, with the text the original gives. */
export const fault = catalogue(
  {
    ValidationError: { status: 400, text: `Expecting to find %(attribute)s in %(target)s. ${MALFORMED}` },
    ValidationSizeError: {
      status: 400,
      text:
        'Request attribute %(attribute)s must be less than or equal to %(size)s. ' +
        'The server could not comply with the request because the attribute size is invalid (too large). ' +
        'The client is assumed to be in error.',
    },
    MalformedEndpoint: {
      status: 400,
      text: 'Malformed endpoint URL (see ERROR log for details): %(endpoint)s',
    },
    Unauthorized: { status: 401, text: 'The request you have made requires authentication.' },
    Forbidden: { status: 403, text: 'You are not authorized to perform the requested action.' },
    ForbiddenAction: {
      status: 403,
      text: 'You are not authorized to perform the requested action: %(action)s',
    },
    NotFound: { status: 404, text: 'Could not find: %(target)s' },
    EndpointNotFound: { status: 404, text: 'Could not find endpoint: %(endpoint_id)s' },
    RoleNotFound: { status: 404, text: 'Could not find role: %(role_id)s' },
    ServiceNotFound: { status: 404, text: 'Could not find service: %(service_id)s' },
    TenantNotFound: { status: 404, text: 'Could not find tenant: %(tenant_id)s' },
    TokenNotFound: { status: 404, text: 'Could not find token: %(token_id)s' },
    UserNotFound: { status: 404, text: 'Could not find user: %(user_id)s' },
    Conflict: { status: 409, text: 'Conflict occurred attempting to store %(type)s. %(details)s' },
    NotImplemented: { status: 501, text: 'The action you have requested has not been implemented.' },
    Busy: {
      status: 503,
      text: 'The server is currently unable to handle the request. Please try again later.',
      headers: { 'retry-after': '1' },
    },
  },
  { module: 'keystone.exception' },
);

export type FaultName = keyof typeof fault.entries;

/** What its catalogue says of a fault's status. */
export const statusOf = (name: string): number | undefined =>
  (fault.entries as Readonly<Record<string, FaultEntry | undefined>>)[name]?.status;

export const invalid = (message: string): Fault => fault('ValidationError', {}, { message });

export const missing = (attribute: string, target = 'request body'): Fault =>
  fault('ValidationError', { attribute, target });

/** What the original calls each status. */
export const TITLES: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Not Authorized',
  403: 'Not Authorized',
  404: 'Not Found',
  409: 'Conflict',
  413: 'Request Entity Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  503: 'Service Unavailable',
};
