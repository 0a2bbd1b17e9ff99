import { sqlSeconds } from '@folsom/core';
import type { Command } from '../command.ts';
import { left } from '../python-text.ts';

export const serverCommands: Record<string, Command> = {
  list: {
    doc: 'Show all servers.',
    flags: [{ name: '--host', metavar: '<host>', help: 'Host' }],
    parameters: ['host'],
    required: 0,
    run: async (context, { host }) => {
      const { servers } = await context.operator();
      const widths = [10, 15, 10, 10, 26, 9, 9, 9];
      const head = ['instance', 'node', 'type', 'state', 'launched', 'image', 'kernel', 'ramdisk'];
      const tail = (cells: readonly unknown[]) =>
        `${left(cells[0], 10)} ${left(cells[1], 10)} ${left(cells[2], 10)} ${left(cells[3], 5)}`;
      const front = (cells: readonly unknown[]) =>
        widths.map((width, at) => left(cells[at], width)).join(' ');
      context.print(`${front(head)}  ${tail(['project', 'user', 'zone', 'index'])}`);
      for await (const page of servers.pages(host)) {
        for (const { row, flavor } of page) {
          const cells = [
            row.display_name,
            row.host,
            flavor,
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
