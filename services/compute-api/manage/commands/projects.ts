import { must } from '@folsom/core';
import { disassociateNetwork } from '@folsom/nova/networks';
import { novaOptions } from '@folsom/nova/options';
import { networksOfProject } from '@folsom/nova/project-networks';
import { defaultLimits, isQuotaResource, limitsOf, QUOTA_RESOURCES, setLimit } from '@folsom/nova/quotas';
import { deleteSecurityGroup, listSecurityGroups } from '@folsom/nova/security-groups';
import { type Command, Exit, wholeNumber } from '../command.ts';

const INT_MAX = 2 ** 31 - 1;

export const projectCommands: Record<string, Command> = {
  quota: {
    doc: 'Set or display quotas for project',
    flags: [],
    parameters: ['project_id', 'key', 'value'],
    required: 1,
    run: async (context, { project_id, key, value }) => {
      if (!key || !isQuotaResource(key)) {
        context.print(`error: Invalid key ${key ?? 'None'} supplied for update`);
        throw new Exit(2);
      }
      if (value === undefined) throw new Error(`no value given for ${key}`);
      const limit = value.toLowerCase() === 'unlimited' ? -1 : wholeNumber(value);
      if (limit < -1 || limit > INT_MAX) throw new Error(`quota limit must be between -1 and ${INT_MAX}`);
      const db = await context.db();
      await db.transaction(trx =>
        setLimit(trx, must(project_id, 'project_id is there'), key, limit, context.clock.now()),
      );
      const limits = await limitsOf(
        db.knex,
        must(project_id, 'project_id is there'),
        defaultLimits(context.config.of(novaOptions)),
      );
      for (const name of QUOTA_RESOURCES) {
        context.print(`${name}: ${limits[name] < 0 ? 'unlimited' : limits[name]}`);
      }
    },
  },
  scrub: {
    doc: 'Deletes data associated with project',
    flags: [{ name: '--project', dest: 'project_id', metavar: '<Project name>', help: 'Project name' }],
    parameters: ['project_id'],
    required: 1,
    run: async (context, { project_id }) => {
      const db = await context.db();
      const now = context.clock.now();
      for (const { id } of await networksOfProject(db, must(project_id, 'project_id is there')))
        await disassociateNetwork(db, id, now);
      await db.transaction(async trx => {
        for (const { id } of await listSecurityGroups(trx, must(project_id, 'project_id is there')))
          await deleteSecurityGroup(trx, id, now);
      });
    },
  },
};
