import { elevated, type RequestContext } from '@folsom/core';
import { novaFault } from '@folsom/nova/faults';
import type { ConnectInfo } from '@folsom/nova/rpc/compute';
import { call, contract } from '@folsom/rpc';
import { type ComputeSeam, guestOf } from './seam.ts';

/** Longest console text that travels over the bus, in characters; the end counts. */
export const CONSOLE_CHARS_MAX = 256 * 1024;

/** The end of a guest's console, as ASCII: what cannot be shown is `?`. */
export async function consoleOutput(
  seam: ComputeSeam,
  _context: RequestContext,
  uuid: string,
  tailLength: number | string | null,
): Promise<string> {
  const output = await seam.driver.consoleOutput(await guestOf(seam, uuid));
  const tail = tailLength === null || tailLength === undefined ? output : lastLines(output, tailLength);
  return tail.slice(-CONSOLE_CHARS_MAX).replace(/[^\x00-\x7f]/g, '?');
}

/** The last lines; no number counts as none. Python's slicing: a negative number leaves out that many at the start. */
function lastLines(text: string, length: number | string): string {
  const wanted =
    typeof length === 'number' ? Math.trunc(length) : /^\s*-?\d+\s*$/.test(length) ? Number(length) : 0;
  if (wanted === 0 || Number.isNaN(wanted)) return '';
  return text.split('\n').slice(-wanted).join('\n');
}

/** Where the guest's screen is, with a new token. The caller has it authorised by nova-consoleauth. */
export async function vncConsole(
  seam: ComputeSeam,
  context: RequestContext,
  uuid: string,
  type: string,
): Promise<ConnectInfo> {
  const guest = await guestOf(seam, uuid);
  const token = seam.world.random.uuid();
  const base =
    type === 'novnc'
      ? seam.settings.novncproxy_base_url
      : type === 'xvpvnc'
        ? seam.settings.xvpvncproxy_base_url
        : undefined;
  if (base === undefined) throw novaFault('ConsoleTypeInvalid', { console_type: type });
  const connection = await seam.driver.vncConsole(guest);
  seam.log.info('console handed out', { instance: uuid, request: elevated(context).requestId });
  return { ...connection, token, access_url: `${base}?token=${token}` };
}

/** Only what the end of a guest needs of nova-consoleauth. */
const consoleTokens = contract('consoleauth', '1.0', {
  delete_tokens_for_instance: call<{ instance_uuid: string }, null>('1.0', 10_000),
});

/**
 * Takes back the tokens of a guest that has stopped. They lead nowhere already, since the port is asked for at every
 * use: nobody waits for the console service.
 */
export function revokeConsoles(seam: ComputeSeam, context: RequestContext, uuid: string): void {
  if (!seam.settings.vnc_enabled) return;
  void consoleTokens
    .client(seam.bus)
    .delete_tokens_for_instance(context, { instance_uuid: uuid })
    .catch(error => seam.log.warn('cannot revoke console tokens', { instance: uuid, error }));
}

/** Whether this port still is the screen of this guest. */
export async function validateConsolePort(
  seam: ComputeSeam,
  uuid: string,
  port: string | number,
): Promise<boolean> {
  const guest = await guestOf(seam, uuid);
  const connection = await seam.driver.vncConsole(guest);
  return String(connection.port) === String(port);
}
