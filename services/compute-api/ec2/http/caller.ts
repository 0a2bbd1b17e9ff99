import type { TokenInfo } from '@folsom/auth';
import { Fault, type RequestContext, requestContext, type World } from '@folsom/core';
import type { FastifyRequest } from 'fastify';
import type { NovaConfig } from '../../domain/deps.ts';
import type { Domain } from '../../domain/index.ts';
import { ec2Fault } from './faults.ts';
import type { Lockout } from './lockout.ts';

/** Trades a signed request for the token of whose signature it is; null for a signature that is refused. */
export type SignedLogin = (credentials: Record<string, unknown>) => Promise<TokenInfo | null>;

export interface CallerParts {
  login: SignedLogin;
  lockout: Lockout;
  domain: Domain;
  config: NovaConfig;
  world: World;
}

/** Longest access key that identity can have stored. */
const ACCESS_CHARS_MAX = 64;

/** Who signed the request. @throws Fault `Unauthorized`, `AccessKeyLocked` */
export async function callerOf(
  request: FastifyRequest,
  parameters: ReadonlyMap<string, string>,
  parts: CallerParts,
): Promise<RequestContext> {
  const token = await tokenOf(request, parameters, parts);
  request.tenantId = token.tenantId;
  const { config, world, domain } = parts;
  const forwarded = config.use_forwarded_for ? request.headers['x-forwarded-for'] : undefined;
  const context = requestContext(
    {
      requestId: request.requestId,
      traceparent: request.traceparent,
      userId: token.userId,
      userName: token.userName,
      projectId: token.tenantId,
      projectName: token.tenantName,
      roles: token.roles,
      authToken: token.id,
      remoteAddress: typeof forwarded === 'string' ? forwarded.slice(0, 255) : request.ip,
      timestamp: world.clock.now(),
      serviceCatalog: token.serviceCatalog.filter(entry =>
        ['volume', 'image'].includes((entry as { type?: string }).type ?? ''),
      ),
    },
    world,
  );
  return { ...context, isAdmin: context.isAdmin || domain.policy.isAdministrator(context) };
}

async function tokenOf(
  request: FastifyRequest,
  parameters: ReadonlyMap<string, string>,
  { login, lockout, world }: CallerParts,
): Promise<TokenInfo> {
  const signature = parameters.get('Signature');
  if (!signature) throw refused('Signature not provided');
  const access = parameters.get('AWSAccessKeyId');
  if (!access) throw refused('Access key not provided');
  if (access.length > ACCESS_CHARS_MAX) throw ec2Fault('Unauthorized');
  lockout.check(access);
  const { Signature: _signature, ...signed } = Object.fromEntries(parameters);
  const question = request.url.indexOf('?');
  const token = await asked(login, {
    access,
    signature,
    host: request.headers.host ?? '',
    verb: request.method,
    path: question < 0 ? request.url : request.url.slice(0, question),
    params: signed,
  });
  if (token !== null && token.tenantId !== null) return token;
  if (lockout.failed(access))
    world.log.warn('an access key is locked: too many failed signatures', { access });
  throw ec2Fault('Unauthorized');
}

const refused = (message: string): Fault => ec2Fault('Unauthorized', {}, { message });

async function asked(login: SignedLogin, credentials: Record<string, unknown>): Promise<TokenInfo | null> {
  try {
    return await login(credentials);
  } catch (error) {
    // A form that identity does not take is no valid signature; that it is away is no client's mistake.
    if (error instanceof Fault && error.status < 500) return null;
    throw error;
  }
}
