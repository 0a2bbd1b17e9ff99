import { Fault } from '@folsom/core';
import { RPC_MODULE, rpcFault } from './faults.ts';

/** Python modules whose exceptions a caller rebuilds; Folsom's allowed_rpc_exception_modules. */
export const EXCEPTION_MODULES: readonly string[] = [
  'nova.openstack.common.exception',
  'nova.exception',
  'cinder.exception',
];

/** Finds the HTTP status of a fault by its name; `undefined` where the catalogue does not know it. */
export type FaultStatus = (name: string) => number | undefined;

export interface FailureReading {
  modules?: readonly string[];
  faultStatus?: FaultStatus | undefined;
}

/**
 * An error as Folsom's `failure` field: a JSON document in a string. A Fault travels as the exception class of its
 * name with its values as keyword arguments (and `code`, which Folsom's exceptions carry there as well); anything
 * else as a Python built-in (`className` where the error's own name says less), which callers turn into RemoteError.
 */
export function encodeFailure(error: unknown, className?: string): string {
  const fault = error instanceof Fault;
  const name = fault ? error.name : (className ?? (error instanceof Error ? error.name : 'Exception'));
  const message = error instanceof Error ? error.message : String(error);
  return JSON.stringify({
    class: name === 'RpcTimeout' ? 'Timeout' : name,
    module: fault ? (error.module ?? 'nova.exception') : 'exceptions',
    message,
    tb: fault ? [`${name}: ${message}\n`] : stackLines(error),
    args: [message],
    kwargs: fault ? { ...error.values, code: error.status } : {},
  });
}

const stackLines = (error: unknown): string[] =>
  error instanceof Error ? (error.stack ?? '').split('\n').slice(0, 20) : [];

/** The Fault a caller sees for a `failure` string; never throws. */
export function decodeFailure(text: unknown, reading: FailureReading = {}): Fault {
  const { modules = EXCEPTION_MODULES, faultStatus } = reading;
  const data = parseObject(text);
  const name = typeof data.class === 'string' ? data.class : 'Exception';
  const message = typeof data.message === 'string' ? data.message : '';
  const module = typeof data.module === 'string' ? data.module : '';
  if (module === RPC_MODULE && name === 'Timeout') return rpcFault('RpcTimeout');
  if (!modules.includes(module) && module !== RPC_MODULE) {
    const traceback = Array.isArray(data.tb) ? data.tb.slice(0, 200) : [];
    return rpcFault('RemoteError', { exc_type: name, value: message, traceback });
  }
  const { code, ...values } = isObject(data.kwargs) ? data.kwargs : {};
  const status =
    faultStatus?.(name) ?? (typeof code === 'number' && code >= 400 && code < 600 ? code : undefined) ?? 500;
  return new Fault(name, status, message, { values, module });
}

function parseObject(text: unknown): Record<string, unknown> {
  try {
    const value: unknown = typeof text === 'string' ? JSON.parse(text) : text;
    return isObject(value) ? value : { message: String(text) };
  } catch {
    return { message: String(text) };
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
