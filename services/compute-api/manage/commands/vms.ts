import { must, sqlSeconds } from '@folsom/core';
import type { Database } from '@folsom/db';
import { flavorsByIds } from '@folsom/nova/flavors';
import { type InstanceRow, instanceFrom, instancesOnHost } from '@folsom/nova/instances';
import type { Command } from '../command.ts';
import { left } from '../python-text.ts';

/** Rows read at a time: a cloud of any size is listed in little memory. */
const PAGE_ROWS = 1000;

export const serverCommands: Record<string, Command> = {
  list: {
    doc: 'Show all servers.',
    flags: [{ name: '--host', metavar: '<host>', help: 'Host' }],
    parameters: ['host'],
    required: 0,
    run: async (context, { host }) => {
      const db = await context.db();
      const widths = [10, 15, 10, 10, 26, 9, 9, 9];
      const head = ['instance', 'node', 'type', 'state', 'launched', 'image', 'kernel', 'ramdisk'];
      const tail = (cells: readonly unknown[]) =>
        `${left(cells[0], 10)} ${left(cells[1], 10)} ${left(cells[2], 10)} ${left(cells[3], 5)}`;
      const front = (cells: readonly unknown[]) =>
        widths.map((width, at) => left(cells[at], width)).join(' ');
      context.print(`${front(head)}  ${tail(['project', 'user', 'zone', 'index'])}`);
      for await (const page of pages(db, host)) {
        const flavors = await flavorsByIds(db.knex, [...new Set(page.map(row => row.instance_type_id))]);
        for (const row of page) {
          const cells = [
            row.display_name,
            row.host,
            flavors.get(row.instance_type_id)?.name,
            row.vm_state,
            row.launched_at === null ? null : sqlSeconds(row.launched_at),
            row.image_ref,
            row.kernel_id,
            row.ramdisk_id,
          ];
          context.print(
            `${front(cells)} ${tail([row.project_id, row.user_id, row.availability_zone, row.launch_index ?? 0])}`,
          );
        }
      }
    },
  },
};

async function* pages(db: Database, host: string | undefined): AsyncGenerator<InstanceRow[]> {
  if (host !== undefined) {
    yield await instancesOnHost(db.knex, host);
    return;
  }
  for (let after = 0; ; ) {
    const rows = (await db
      .knex('instances')
      .where('deleted', 0)
      .where('id', '>', after)
      .orderBy('id')
      .limit(PAGE_ROWS)) as Record<string, unknown>[];
    const page = rows.map(instanceFrom);
    if (page.length > 0) yield page;
    if (page.length < PAGE_ROWS) return;
    after = must(page.at(-1), 'page is not empty').id;
  }
}
