import type { Fault } from '@folsom/core';
import { type Answer, answer, type FaultAnswer, operationFor, ownText } from '@folsom/http/operation';
import type { Domain } from '../../domain/index.ts';
import type { Caller } from './api.ts';
import type { FaultName } from './statuses.ts';

/** Declares an operation of the compute API. Paths stand below the tenant. */
export const operation = operationFor<Domain, Caller, FaultName>();

/** What an operation makes of faults: one table where several operations share it. */
export type Faults = Readonly<Partial<Record<FaultName, FaultAnswer>>>;

/** An answer without a body and the default media type of Folsom's web framework, as its controllers gave for a bare response. */
export const bare = (headers: Record<string, string> = {}, status?: number): Answer =>
  answer({ type: 'text/html; charset=UTF-8', headers, ...(status === undefined ? {} : { status }) });

const AT_ONCE = { 'retry-after': '0' };
/** 413 with the fault's own text and no time to wait for: what Folsom says of a quota. */
export const overLimit: FaultAnswer = [413, ownText, AT_ONCE];
export const overLimitSaying = (text: string): FaultAnswer => [413, text, AT_ONCE];

/** `Cannot 'pause' while instance is in vm_state stopped` from the state table's own faults. */
export function refusedStates(action: string) {
  const word = ({ values: { attr, state } }: Fault): string =>
    attr && state
      ? `Cannot '${action}' while instance is in ${attr} ${state}`
      : `Instance is in an invalid state for '${action}'`;
  // Folsom words a locked server like any other state; its owner could not tell what to do.
  return { InstanceInvalidState: [409, word], InstanceIsLocked: [409, ownText] } as const satisfies Faults;
}

interface RawJson {
  rawJSON(text: string): unknown;
}

/** A number that JSON and XML show with its fraction (`1.0`), as Python does. */
export const float = (value: number): unknown =>
  (JSON as unknown as RawJson).rawJSON(Number.isInteger(value) ? `${value}.0` : String(value));
