import { must } from '@folsom/core';
import { flavorsByIds } from '@folsom/nova/flavors';
import { type InstanceRow, instanceFrom, instancesOnHost } from '@folsom/nova/instances';
import type { OperatorDeps } from './deps.ts';

/** Rows read at a time: a cloud of any size is listed in little memory. */
const PAGE_ROWS = 1000;

export interface ListedServer {
  row: InstanceRow;
  /** Undefined where the flavor is gone. */
  flavor: string | undefined;
}

/** Every tenant's servers in pages, those of one host where it is given. */
export async function* pages(deps: OperatorDeps, host?: string): AsyncGenerator<ListedServer[]> {
  for await (const page of rows(deps, host)) {
    const flavors = await flavorsByIds(deps.db.knex, [...new Set(page.map(row => row.instance_type_id))]);
    yield page.map(row => ({ row, flavor: flavors.get(row.instance_type_id)?.name }));
  }
}

async function* rows({ db }: OperatorDeps, host: string | undefined): AsyncGenerator<InstanceRow[]> {
  if (host !== undefined) {
    yield await instancesOnHost(db.knex, host);
    return;
  }
  for (let after = 0; ; ) {
    const found = await db
      .knex('instances')
      .where('deleted', 0)
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE_ROWS);
    const page = found.map(instanceFrom);
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    after = must(page.at(-1), 'page is not empty').id;
  }
}
