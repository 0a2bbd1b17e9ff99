import { Fault, isDiskFull, type Logger } from '@folsom/core';
import { maskedTarget } from '@folsom/swift';
import { answer, brokenBodyAnswer, type ServerRequest, type ServerResponse } from '@folsom/swift-http';
import type { ObjectRequest, ObjectServerContext } from './context.ts';

const GONE = new Set(['ENOENT', 'ENOTDIR', 'EIO', 'EROFS', 'ENODEV']);

/** The answer to a request that failed. */
export function refusalOf(error: unknown, http: ServerRequest, log: Logger): ServerResponse {
  const broken = brokenBodyAnswer(error, http);
  if (broken) return broken;
  log.error('request failed', { method: http.method, target: maskedTarget(http.target), error });
  if (error instanceof Fault)
    return answer(error.status, http, { body: error.message, contentType: 'text/plain' });
  // A device that vanished or broke under the request is one that cannot store.
  if (isDiskFull(error)) return answer(507, http, { detail: 'The device is full' });
  return answer(GONE.has((error as NodeJS.ErrnoException).code ?? '') ? 507 : 500, http);
}

const NO_ROOM = new Set(['ENOSPC', 'EDQUOT', 'EIO', 'EROFS', 'ENODEV', 'EXDEV', 'E27']);

/** Whether an error means that the device can take no more: full, or broken. */
export const isNoRoom = (error: unknown): boolean => NO_ROOM.has((error as NodeJS.ErrnoException).code ?? '');

export const noRoom = ({ http, deviceName }: ObjectRequest): ServerResponse =>
  answer(507, http, { detail: `${deviceName} is full` });

/** The answer to a change that failed on a device. */
export const changeFailed = (
  { world }: ObjectServerContext,
  request: ObjectRequest,
  error: unknown,
): ServerResponse => (isNoRoom(error) ? noRoom(request) : refusalOf(error, request.http, world.log));
