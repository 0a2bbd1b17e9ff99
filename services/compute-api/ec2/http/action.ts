import type { RequestContext, World } from '@folsom/core';
import type { NovaConfig } from '../../domain/deps.ts';
import type { Domain } from '../../domain/index.ts';
import type { ActionAnswer } from './answer.ts';
import type { Wordings } from './faults.ts';
import type { Shape, Values } from './shapes.ts';

/** What an action is given besides its parameters. */
export interface Call {
  domain: Domain;
  context: RequestContext;
  config: NovaConfig;
  world: World;
}

/** An action of the EC2 API, declared once: dispatch, parameters, faults, tests and the reference follow from it. */
export interface Action<S extends Shape = Shape> {
  /** As clients write it: `DescribeInstances`. */
  name: string;
  about: string;
  parameters: S;
  /** Words for faults of the domain where they are not the usual ones. */
  faults?: Wordings;
  run(call: Call, parameters: Values<S>): Promise<ActionAnswer>;
}

/** Declares an action: the types of its parameters follow from its shape. */
export const action = <S extends Shape>(declared: Action<S>): Action => declared as unknown as Action;
