import type { App } from '../app.ts';
import type { Front } from './front.ts';
import type { Operation } from './operation.ts';
import { describedBy } from './shapes.ts';

/** A declared operation where it is served; one that has aliases stands there once for each. */
export interface MountedOperation extends Omit<Operation, 'run' | 'readXml'> {
  /** The whole path, with its prefix. */
  url: string;
  /** The port that serves it, where a service has several. */
  port: string | undefined;
}

const mounted = new WeakMap<App, MountedOperation[]>();

/** Called by the mounting. */
export function note(
  app: App,
  operations: readonly Operation[],
  { prefixes, port }: Front<unknown, unknown>,
): void {
  const list = mounted.get(app) ?? [];
  for (const { run: _run, readXml: _readXml, ...operation } of operations) {
    for (const path of [operation.path, ...(operation.aliases ?? [])]) {
      list.push({ ...operation, url: (prefixes[0] ?? '') + path || '/', port });
    }
  }
  mounted.set(app, list);
}

/** Everything an application serves by declaration: for the reference and for generated tests. */
export const operationsOf = (app: App): readonly MountedOperation[] => mounted.get(app) ?? [];

/** Names of the fields of an operation's body. */
export const fieldsOf = ({ body }: Pick<MountedOperation, 'body'>): string[] =>
  Object.keys((describedBy(body) as { properties?: object } | undefined)?.properties ?? {});
