import { must } from '@folsom/core';
import { type Command, Exit, type ManageContext, wholeNumber } from '../command.ts';
import { left, shown } from '../python-text.ts';

function notFound(context: ManageContext, text: string): never {
  context.print(`error: ${text}`);
  throw new Exit(2);
}

const agreed = (context: ManageContext): boolean => /^[yY]$/.test(context.ask('Proceed? (y/n) ').trim());

export const storageManagerCommands: Record<string, Command> = {
  flavor_list: {
    doc: null,
    flags: [],
    parameters: ['flavor'],
    required: 0,
    run: async (context, { flavor }) => {
      const { storage } = await context.operator();
      const found = await storage.flavors(flavor);
      if (flavor !== undefined && found.length === 0) notFound(context, `no flavor with id ${flavor}`);
      context.print(`${left('id', 18)}\t${left('Label', 20)}\tDescription`);
      for (const item of found) {
        context.print(`${left(item.id, 18)}\t${left(item.label, 20)}\t${shown(item.description)}`);
      }
    },
  },
  flavor_create: {
    doc: null,
    flags: [],
    parameters: ['label', 'desc'],
    required: 2,
    run: async (context, { label, desc }) => {
      const { storage } = await context.operator();
      await storage.createFlavor({
        label: must(label, 'label is there'),
        description: must(desc, 'desc is there'),
      });
    },
  },
  flavor_delete: {
    doc: null,
    flags: [],
    parameters: ['label'],
    required: 1,
    run: async (context, { label }) => {
      const { storage } = await context.operator();
      await storage.deleteFlavor(must(label, 'label is there'));
    },
  },
  backend_list: {
    doc: null,
    flags: [],
    parameters: ['backend_conf_id'],
    required: 0,
    run: async (context, { backend_conf_id }) => {
      const { storage } = await context.operator();
      const found = await storage.backends(backend_conf_id);
      if (backend_conf_id !== undefined && found.length === 0) {
        notFound(context, `no backend with id ${backend_conf_id}`);
      }
      const line = (cells: readonly unknown[]) =>
        context.print(
          `${[5, 10, 40, 10].map((width, at) => left(cells[at], width)).join('\t')}\t${shown(cells[4])}`,
        );
      line(['id', 'Flavor id', 'SR UUID', 'SR Type', 'Config Parameters']);
      for (const item of found) {
        line([item.id, item.flavor_id, item.sr_uuid, item.sr_type, item.config_params]);
      }
    },
  },
  backend_add: {
    doc: null,
    flags: [],
    parameters: ['flavor_label', 'sr_type'],
    required: 2,
    variadic: true,
    run: async (context, { flavor_label, sr_type }, further) => {
      const { storage } = await context.operator();
      const flavor = await storage.flavorLabelled(must(flavor_label, 'flavor_label is there'));
      if (!flavor) notFound(context, `no flavor with label ${flavor_label}`);
      const params = further.map(item => item.split('=').slice(0, 2));
      const sr = params.find(([name]) => name === 'sr_uuid')?.[1];
      if (sr !== undefined) {
        if (await storage.hasRepository(sr)) {
          context.print('Backend config found; it is left as it is.');
          return;
        }
        context.print('Backend config not found. Would you like to create it?');
      }
      context.print('(WARNING: Creating will destroy all data on backend!!!)');
      if (!agreed(context)) return;
      const config = params.map(([name, value]) => `${name}=${value ?? ''} `).join('');
      await storage.createBackend({
        flavor_id: flavor.id,
        sr_type: must(sr_type, 'sr_type is there'),
        sr_uuid: sr ?? null,
        config_params: config,
      });
    },
  },
  backend_remove: {
    doc: null,
    flags: [],
    parameters: ['backend_conf_id'],
    required: 1,
    run: async (context, { backend_conf_id }) => {
      const { storage } = await context.operator();
      await storage.deleteBackend(wholeNumber(must(backend_conf_id, 'backend_conf_id is there')));
    },
  },
};
