import { extraSpecsOfFlavors } from '@folsom/nova/flavor-specs';
import {
  createFlavor,
  deleteExtraSpec,
  deleteFlavor,
  extraSpecs,
  type FlavorRow,
  flavorByName,
  listFlavors,
  type NewFlavor,
  setExtraSpecs,
} from '@folsom/nova/flavors';
import type { OperatorDeps } from './deps.ts';

export interface FlavorWithSpecs {
  flavor: FlavorRow;
  specs: Record<string, string>;
}

/** All flavors, those that tenants cannot see too. */
export async function list({ db }: OperatorDeps): Promise<FlavorWithSpecs[]> {
  const flavors = await listFlavors(db.knex);
  const specs = await extraSpecsOfFlavors(
    db.knex,
    flavors.map(flavor => flavor.id),
  );
  return flavors.map(flavor => ({ flavor, specs: specs.get(flavor.id) ?? {} }));
}

/** @throws Fault `InstanceTypeNotFoundByName` */
export async function get({ db }: OperatorDeps, name: string): Promise<FlavorWithSpecs> {
  const flavor = await flavorByName(db.knex, name);
  return { flavor, specs: await extraSpecs(db.knex, flavor.id) };
}

/** @throws Fault `InstanceTypeExists` */
export async function create({ db, clock }: OperatorDeps, flavor: NewFlavor): Promise<void> {
  await db.transaction(trx => createFlavor(trx, flavor, clock.now()));
}

/** @throws Fault `InstanceTypeNotFoundByName` */
export async function remove({ db, clock }: OperatorDeps, name: string): Promise<void> {
  await db.transaction(trx => deleteFlavor(trx, name, clock.now()));
}

/** @throws Fault `InstanceTypeNotFoundByName` */
export async function setSpecs(
  { db, clock }: OperatorDeps,
  name: string,
  specs: Record<string, string>,
): Promise<void> {
  const { id } = await flavorByName(db.knex, name);
  await db.transaction(trx => setExtraSpecs(trx, id, specs, clock.now()));
}

/** @throws Fault `InstanceTypeNotFoundByName` */
export async function deleteSpec({ db, clock }: OperatorDeps, name: string, key: string): Promise<void> {
  const { id } = await flavorByName(db.knex, name);
  await deleteExtraSpec(db.knex, id, key, clock.now());
}
