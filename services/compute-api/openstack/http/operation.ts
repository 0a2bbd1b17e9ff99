import type { Fault } from '@folsom/core';
import { type Answer, answer, operationFor } from '@folsom/http/operation';
import type { Domain } from '../../domain/index.ts';
import type { Caller } from './api.ts';
import { conflict, tooLarge } from './faults.ts';

/** Declares an operation of the compute API. Paths stand below the tenant. */
export const operation = operationFor<Domain, Caller>();

/** An answer without a body and the default media type of Folsom's web framework, as its controllers gave for a bare response. */
export const bare = (headers: Record<string, string> = {}, status?: number): Answer =>
  answer({ type: 'text/html; charset=UTF-8', headers, ...(status === undefined ? {} : { status }) });

/** 413 with the fault's own text and no time to wait for: what Folsom says of a quota. */
export const overLimit = (fault: Fault): Fault => tooLarge(fault.message, 0);
export const overLimitSaying = (text: string) => (): Fault => tooLarge(text, 0);

/** `Cannot 'pause' while instance is in vm_state stopped` from the state table's own faults. */
export function refusedStates(action: string): Record<string, (fault: Fault) => Fault> {
  const word = ({ values: { attr, state } }: Fault): Fault =>
    conflict(
      attr && state
        ? `Cannot '${action}' while instance is in ${attr} ${state}`
        : `Instance is in an invalid state for '${action}'`,
    );
  // Folsom words a locked server like any other state; its owner could not tell what to do.
  return { InstanceInvalidState: word, InstanceIsLocked: fault => conflict(fault.message) };
}

interface RawJson {
  rawJSON(text: string): unknown;
}

/** A number that JSON and XML show with its fraction (`1.0`), as Python does. */
export const float = (value: number): unknown =>
  (JSON as unknown as RawJson).rawJSON(Number.isInteger(value) ? `${value}.0` : String(value));
