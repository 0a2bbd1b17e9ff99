import { checkSchema, type Database, dbSync, dbVersion } from '@folsom/db';
import { novaOptions } from '@folsom/nova/options';
import { isQuotaResource, type QuotaResource } from '@folsom/nova/quotas';
import type { NovaConfig } from '../deps.ts';
import * as agents from './agents.ts';
import type { OperatorDeps, OperatorSeam } from './deps.ts';
import * as fixedIps from './fixed-ips.ts';
import * as flavors from './flavors.ts';
import * as floatingIps from './floating-ips.ts';
import * as networks from './networks.ts';
import * as projects from './projects.ts';
import * as servers from './servers.ts';
import * as services from './services.ts';
import * as storage from './storage.ts';
import * as volumes from './volumes.ts';

export type { OperatorSeam } from './deps.ts';
export { addressesIn } from './ranges.ts';

const functions = {
  agents,
  fixedIps,
  flavors,
  floatingIps,
  networks,
  projects,
  servers,
  services,
  storage,
  volumes,
};
type Functions = typeof functions;

type Bound<F> = F extends (deps: OperatorDeps, ...args: infer Args) => infer Result
  ? (...args: Args) => Result
  : F;

/**
 * What the operator of a cloud may do whoever he is: he has the database, so nobody is asked whether he may. The rules are those of the
 * other front ends.
 */
export type Operator = {
  readonly [About in keyof Functions]: {
    readonly [Name in keyof Functions[About]]: Bound<Functions[About][Name]>;
  };
};

/** An operator's door to a cloud; nothing is opened before it is needed. */
export interface OperatorDoor {
  settings: NovaConfig;
  /** @throws where the schema is not the one that this version works with */
  operator(): Promise<Operator>;
  /** Brings the schema to a version, the newest by default. */
  syncSchema(version?: number): Promise<void>;
  /** The version of the schema; 0 where there is none. */
  schemaVersion(): Promise<number>;
  close(): Promise<void>;
}

export function openOperator(seam: OperatorSeam): OperatorDoor {
  const settings = seam.config.of(novaOptions);
  let database: Promise<Database> | undefined;
  let operator: Promise<Operator> | undefined;
  const open = () => {
    database ??= seam.openDatabase();
    return database;
  };
  const checked = async (): Promise<Operator> => {
    const db = await open();
    await checkSchema(db, 'nova');
    const { clock, createNetworks, cast } = seam;
    return operatorOf({ db, config: settings, clock, createNetworks, cast });
  };
  return {
    settings,
    operator: () => {
      operator ??= checked();
      return operator;
    },
    syncSchema: async version => {
      await dbSync(await open(), 'nova', version);
    },
    schemaVersion: async () => (await dbVersion(await open(), 'nova')) ?? 0,
    close: async () => (await database?.catch(() => undefined))?.close(),
  };
}

/** The quota of that name. */
export const quotaResource = (name: string): QuotaResource | undefined =>
  isQuotaResource(name) ? name : undefined;

function operatorOf(deps: OperatorDeps): Operator {
  const bound =
    (run: (deps: OperatorDeps, ...args: never[]) => unknown) =>
    (...args: never[]) =>
      run(deps, ...args);
  return Object.fromEntries(
    Object.entries(functions).map(([about, group]) => [
      about,
      Object.fromEntries(Object.entries(group).map(([name, run]) => [name, bound(run as never)])),
    ]),
  ) as unknown as Operator;
}
