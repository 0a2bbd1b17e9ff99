import { must } from '@folsom/core';
import { quotaResource } from '../../domain/operator/index.ts';
import { type Command, Exit, wholeNumber } from '../command.ts';

export const projectCommands: Record<string, Command> = {
  quota: {
    doc: 'Set or display quotas for project',
    flags: [],
    parameters: ['project_id', 'key', 'value'],
    required: 1,
    run: async (context, { project_id, key, value }) => {
      const resource = quotaResource(key ?? '');
      if (resource === undefined) {
        context.print(`error: Invalid key ${key ?? 'None'} supplied for update`);
        throw new Exit(2);
      }
      if (value === undefined) throw new Error(`no value given for ${key}`);
      const limit = value.toLowerCase() === 'unlimited' ? -1 : wholeNumber(value);
      const project = must(project_id, 'project_id is there');
      const { projects } = await context.operator();
      await projects.setQuota(project, resource, limit);
      for (const [name, most] of await projects.quotas(project)) {
        context.print(`${name}: ${most < 0 ? 'unlimited' : most}`);
      }
    },
  },
  scrub: {
    doc: 'Deletes data associated with project',
    flags: [{ name: '--project', dest: 'project_id', metavar: '<Project name>', help: 'Project name' }],
    parameters: ['project_id'],
    required: 1,
    run: async (context, { project_id }) => {
      const { projects } = await context.operator();
      await projects.scrub(must(project_id, 'project_id is there'));
    },
  },
};
