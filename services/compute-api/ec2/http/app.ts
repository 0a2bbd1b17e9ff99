import { type Fault, isFault, must } from '@folsom/core';
import { type App, type AppOptions, createApp } from '@folsom/http';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { actionNamed } from '../actions.ts';
import type { Action, Call } from './action.ts';
import { answerXml } from './answer.ts';
import { type CallerParts, callerOf } from './caller.ts';
import { ec2Fault, renderFault, worded } from './faults.ts';
import { flatParameters, PARAMETER_LIMITS, parameterTree } from './parameters.ts';
import { valuesOf } from './shapes.ts';

/** Where the API stands; whatever comes below it is the same. */
const MOUNT = '/services/Cloud';

/** What every signed request says besides its action's own parameters. */
const SIGNED_WITH = ['Action', 'SignatureVersion', 'Version'] as const;
const VERSION_CHARS_MAX = 64;

/** The EC2 query API as an application. */
export function ec2App(
  parts: CallerParts,
  options: Pick<AppOptions, 'world' | 'checks' | 'unavailable'>,
): App {
  const app = createApp({
    ...options,
    name: 'nova-api-ec2',
    secretQuery: true,
    renderFault,
    bodyLimit: PARAMETER_LIMITS.bodyBytesMax,
    // The signature stands among the parameters.
    authenticate: null,
  });
  const handler = async (request: FastifyRequest, reply: FastifyReply) => {
    const xml = await answered(request, parts);
    // As bytes: what a socket makes of a long text by itself costs more than all before it.
    return reply.code(200).header('content-type', 'text/xml').send(Buffer.from(xml));
  };
  for (const method of ['GET', 'POST'] as const)
    for (const url of [MOUNT, `${MOUNT}/*`])
      app.server.route({ method, url, config: { name: 'ec2' }, handler });
  return app;
}

/** Who asks is found out first, as everything else could tell a stranger something. */
async function answered(request: FastifyRequest, parts: CallerParts): Promise<string> {
  const flat = flatParameters(queryOf(request), formOf(request));
  const context = await callerOf(request, flat, parts);
  for (const name of SIGNED_WITH) if (!flat.get(name)) throw ec2Fault('MissingParameter', { name });
  if (!flat.get('Timestamp') && !flat.get('Expires'))
    throw ec2Fault('MissingParameter', { name: 'Timestamp' });
  const written = must(flat.get('Action'), 'flat has Action');
  const version = must(flat.get('Version'), 'flat has Version');
  if (version.length > VERSION_CHARS_MAX) throw ec2Fault('InvalidParameter', { name: 'Version' });
  const action = actionNamed(written);
  if (!action) throw ec2Fault('InvalidRequest');
  request.operation = action.name;
  const answer = await run(action, { ...parts, context }, flat);
  return answerXml(written, version, request.requestId, answer);
}

async function run(action: Action, call: Call, flat: ReadonlyMap<string, string>) {
  try {
    return await action.run(call, valuesOf(action.parameters, parameterTree(flat)));
  } catch (error) {
    throw isFault(error) ? worded(error as Fault, action.faults) : error;
  }
}

function queryOf(request: FastifyRequest): string {
  const question = request.url.indexOf('?');
  return question < 0 ? '' : request.url.slice(question + 1);
}

/** A body of another type is none, as web frameworks have it. */
function formOf(request: FastifyRequest): string {
  const type = request.headers['content-type'];
  if (!(request.body instanceof Uint8Array)) return '';
  if (type !== undefined && !/^\s*(application\/x-www-form-urlencoded\s*(;|$)|$)/i.test(type)) return '';
  return Buffer.from(request.body).toString('utf8');
}
