import { Fault } from '@folsom/core';
import { type WebobPage, webobAnswer, webobText } from '@folsom/wire/webob-page';
import type { FastifyRequest } from 'fastify';

/** What a WebOb error of glance is made of. */
export interface HttpFaultParts {
  /** Replaces the status' standard sentence. */
  explanation?: string;
  /** A second sentence behind the standard one. */
  detail?: string;
  headers?: Record<string, string>;
  /** Sent as it is instead of the page. */
  body?: string;
  cause?: unknown;
}

/** Any answer of 400 and more that is not about images: what cannot be read, or another server's. */
export const httpFault = (status: number, parts: HttpFaultParts = {}): Fault =>
  webobFault(`Http${status}`, status, parts);

function webobFault(name: string, status: number, parts: HttpFaultParts): Fault {
  return new Fault(name, status, parts.explanation ?? explanationOf(status), {
    values: {
      ...(parts.detail === undefined ? {} : { detail: parts.detail }),
      ...(parts.body === undefined ? {} : { body: parts.body }),
    },
    ...(parts.headers ? { headers: parts.headers } : {}),
    ...(parts.cause === undefined ? {} : { cause: parts.cause }),
  });
}

/** What the image services refuse, by name, and the status of each. */
const STATUS = {
  InvalidImage: 400,
  InvalidLocation: 400,
  InvalidMarker: 400,
  InvalidMembership: 400,
  InvalidPatch: 400,
  InvalidQuery: 400,
  InvalidStatus: 400,
  InvalidTag: 400,
  /** The bytes are not what was said of them, or the store cannot take them. */
  InvalidUpload: 400,
  UnknownStore: 400,
  NotAuthenticated: 401,
  AttributeForbidden: 403,
  ImageDeleted: 403,
  ImageForbidden: 403,
  ImageProtected: 403,
  NotSharable: 403,
  PolicyNotAuthorized: 403,
  ReadOnlyAccess: 403,
  ImageDataNotFound: 404,
  ImageNotActive: 404,
  ImageNotFound: 404,
  MemberNotFound: 404,
  NothingThere: 404,
  TagNotFound: 404,
  MethodNotAllowed: 405,
  DuplicateImageData: 409,
  /** It is not what it was when the change was asked for. */
  ImageChanged: 409,
  ImageExists: 409,
  ImageNotQueued: 409,
  PatchConflict: 409,
  UploadUnderWay: 409,
  /** Deleted while its bytes came. */
  ImageGone: 410,
  UploadAborted: 412,
  ImageSizeLimitExceeded: 413,
  StorageFull: 413,
  StorageWriteDenied: 503,
  StoreUnavailable: 503,
  TooManyCopies: 503,
} as const;
export type ImageFaultName = keyof typeof STATUS;

/** A refusal of the image services in its words: `imageFault('ImageNotFound', { detail: 'Image does not exist' })`. */
export const imageFault = (name: ImageFaultName, parts: HttpFaultParts = {}): Fault =>
  webobFault(name, STATUS[name], parts);

/** Whether a fault is one that is shown as it is: of the catalogue, or a status alone. */
export const isImageFault = (error: unknown): error is Fault =>
  error instanceof Fault && (Object.hasOwn(STATUS, error.name) || error.name.startsWith('Http'));

export const imageStatusOf = (name: string): number | undefined =>
  (STATUS as Readonly<Record<string, number | undefined>>)[name];

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  409: 'Conflict',
  410: 'Gone',
  412: 'Precondition Failed',
  413: 'Request Entity Too Large',
  415: 'Unsupported Media Type',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
};

const EXPLANATIONS: Record<number, string> = {
  401:
    'This server could not verify that you are authorized to access the document you requested. Either you supplied ' +
    'the wrong credentials (e.g., bad password), or your browser does not understand how to supply the credentials ' +
    'required.',
  403: 'Access was denied to this resource.',
  404: 'The resource could not be found.',
  409: 'There was a conflict when trying to complete your request.',
  410: 'This resource is no longer available. No forwarding address is given.',
  412: 'Request precondition failed.',
  413: 'The body of your request was too large for this server.',
  500: 'The server has either erred or is incapable of performing the requested operation.',
  502: 'Bad gateway.',
  503: 'The server is currently unavailable. Please try again at a later time.',
};

const MALFORMED =
  'The server could not comply with the request since it is either malformed or otherwise incorrect.';

const titleOf = (status: number): string => TITLES[status] ?? 'Error';
const explanationOf = (status: number): string => EXPLANATIONS[status] ?? MALFORMED;

const pageOf = (fault: Fault, method: string): WebobPage => ({
  status: fault.status,
  reason: titleOf(fault.status),
  explanation: fault.message,
  detail: String(fault.values.detail ?? ''),
  method,
});

/** The page as text: what one service quotes inside its own fault. */
export const plainPage = (fault: Fault, method = 'GET'): string =>
  typeof fault.values.body === 'string' ? fault.values.body : webobText(pageOf(fault, method));

/** Gives any fault of the image services its outer shape: WebOb's page, text or HTML by the Accept header. */
export function renderImageFault(fault: Fault, request: FastifyRequest) {
  const shown = standardised(fault);
  const given = shown.values.body;
  const { type, body } =
    typeof given === 'string'
      ? { type: 'text/plain; charset=UTF-8', body: given }
      : webobAnswer(pageOf(shown, request.method), request.headers.accept);
  return {
    status: shown.status,
    headers: { 'content-type': type, ...shown.headers },
    body: request.method === 'HEAD' ? '' : body,
  };
}

/** Faults of the libraries in glance's words. */
function standardised(fault: Fault): Fault {
  switch (fault.name) {
    case 'RouteNotFound':
      return httpFault(404);
    case 'RequestTooLarge':
      return httpFault(413);
    case 'InternalError':
      return httpFault(500, { explanation: fault.message });
    case 'RegistryFailure':
      return fault.status >= 500 ? httpFault(503) : httpFault(fault.status, { explanation: fault.message });
    default:
      return fault;
  }
}

/**
 * What another part of glance (registry, in process or remote) answered: `status` as it was, the message is its whole page.
 * Callers turn it into their own fault, quoting the page where Folsom did.
 */
export const registryFailure = (status: number, page: string, cause?: unknown): Fault =>
  new Fault('RegistryFailure', status, page, cause === undefined ? {} : { cause });

export const isRegistryFailure = (error: unknown, status?: number): error is Fault =>
  error instanceof Fault &&
  error.name === 'RegistryFailure' &&
  (status === undefined || error.status === status);
