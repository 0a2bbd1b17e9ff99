import { isFault, must, sqlSeconds } from '@folsom/core';
import type { FlavorWithSpecs } from '../../domain/operator/flavors.ts';
import { type Command, Exit, type ManageContext } from '../command.ts';
import { floating, unicodeDict } from '../python-text.ts';

const NAME = { name: '--name', metavar: '<name>', help: 'Name of instance type/flavor' };
const INT_MAX = 2 ** 31 - 1;

const line = ({ flavor, specs }: FlavorWithSpecs): string =>
  `${flavor.name}: Memory: ${flavor.memory_mb}MB, VCPUS: ${flavor.vcpus}, Root: ${flavor.root_gb}GB, ` +
  `Ephemeral: ${flavor.ephemeral_gb}Gb, FlavorID: ${flavor.flavorid}, Swap: ${flavor.swap}MB, ` +
  `RXTX Factor: ${floating(flavor.rxtx_factor)}, ${flavor.is_public ? 'public' : 'private'}, ` +
  `ExtraSpecs ${unicodeDict(specs)}`;

async function printAll(context: ManageContext): Promise<void> {
  const { flavors } = await context.operator();
  for (const flavor of await flavors.list()) context.print(line(flavor));
}

/** Work on a flavor that must exist for the command to go on. */
async function onKnown(context: ManageContext, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!isFault(error, 'InstanceTypeNotFoundByName')) throw error;
    context.print(error.message);
    throw new Exit(2);
  }
}

function refuse(context: ManageContext, reason: string): never {
  context.print('Must supply valid parameters to create instance_type');
  context.print(`Invalid input received: ${reason}`);
  throw new Exit(1);
}

function amount(context: ManageContext, text: string, least: number): number {
  const value = /^\s*\+?\d{1,15}\s*$/.test(text) ? Number(text) : -1;
  if (value < least || value > INT_MAX) refuse(context, 'create arguments must be positive integers');
  return value;
}

export const flavorCommands: Record<string, Command> = {
  create: {
    doc: 'Creates instance types / flavors',
    flags: [
      NAME,
      { name: '--memory', metavar: '<memory size>', help: 'Memory size' },
      { name: '--cpu', dest: 'vcpus', metavar: '<num cores>', help: 'Number cpus' },
      { name: '--root_gb', metavar: '<root_gb>', help: 'Root disk size' },
      { name: '--ephemeral_gb', metavar: '<ephemeral_gb>', help: 'Ephemeral disk size' },
      { name: '--flavor', dest: 'flavorid', metavar: '<flavor  id>', help: 'Flavor ID' },
      { name: '--swap', metavar: '<swap>', help: 'Swap' },
      { name: '--rxtx_factor', metavar: '<rxtx_factor>', help: 'rxtx_factor' },
      { name: '--is_public', metavar: '<is_public>', help: 'Make flavor accessible to the public' },
    ],
    parameters: [
      'name',
      'memory',
      'vcpus',
      'root_gb',
      'ephemeral_gb',
      'flavorid',
      'swap',
      'rxtx_factor',
      'is_public',
    ],
    required: 5,
    run: async (context, args) => {
      const name = must(args.name, 'name is there');
      if (/[^\w.\- ]/.test(name) || name === '' || name.length > 255) {
        refuse(context, 'names can only contain [a-zA-Z0-9_.- ]');
      }
      const flavor = {
        name,
        memory_mb: amount(context, must(args.memory, 'memory is there'), 1),
        vcpus: amount(context, must(args.vcpus, 'vcpus is there'), 1),
        root_gb: amount(context, must(args.root_gb, 'root_gb is there'), 0),
        ephemeral_gb: amount(context, must(args.ephemeral_gb, 'ephemeral_gb is there'), 0),
        swap: amount(context, args.swap ?? '0', 0),
        rxtx_factor: amount(context, args.rxtx_factor ?? '1', 0),
        flavorid: args.flavorid ?? context.random.uuid(),
        is_public: /^(1|t|true|on|y|yes)$/i.test((args.is_public ?? 'true').trim()),
      };
      const { flavors } = await context.operator();
      try {
        await flavors.create(flavor);
      } catch (error) {
        if (!isFault(error, 'InstanceTypeExists')) throw error;
        context.print('Instance Type exists.');
        context.print('Please ensure instance_type name and flavorid are unique.');
        context.print('Currently defined instance_type names and flavorids:');
        context.print();
        await printAll(context);
        throw new Exit(2);
      }
      context.print(`${name} created`);
    },
  },
  delete: {
    doc: 'Marks instance types / flavors as deleted',
    flags: [NAME],
    parameters: ['name'],
    required: 1,
    run: async (context, args) => {
      const name = must(args.name, 'name is there');
      const { flavors } = await context.operator();
      try {
        await flavors.remove(name);
      } catch (error) {
        if (!isFault(error, 'InstanceTypeNotFoundByName')) throw error;
        const time = sqlSeconds(context.clock.now());
        context.err(
          `${time} ERROR nova.compute.instance_types [-] Instance type ${name} not found for deletion\n`,
        );
        context.print('Valid instance type name is required');
        throw new Exit(1);
      }
      context.print(`${name} deleted`);
    },
  },
  list: {
    doc: 'Lists all active or specific instance types / flavors',
    flags: [NAME],
    parameters: ['name'],
    required: 0,
    run: async (context, { name }) => {
      if (name === undefined) return printAll(context);
      const { flavors } = await context.operator();
      context.print(line(await flavors.get(name)));
    },
  },
  set_key: {
    doc: "Add a key and value to an instance type's extra specs",
    flags: [
      NAME,
      { name: '--key', metavar: '<key>', help: 'The key of the key/value pair' },
      { name: '--value', metavar: '<value>', help: 'The value of the key/value pair' },
    ],
    parameters: ['name', 'key', 'value'],
    required: 2,
    run: async (context, { name, key, value }) => {
      const { flavors } = await context.operator();
      const specs = { [must(key, 'key is there')]: value ?? '' };
      await onKnown(context, () => flavors.setSpecs(must(name, 'name is there'), specs));
      context.print(`Key ${key} set to ${value ?? 'None'} on instance type ${name}`);
    },
  },
  unset_key: {
    doc: 'Delete an extra spec of an instance type',
    flags: [NAME, { name: '--key', metavar: '<key>', help: 'The key to be deleted' }],
    parameters: ['name', 'key'],
    required: 2,
    run: async (context, { name, key }) => {
      const { flavors } = await context.operator();
      await onKnown(context, () =>
        flavors.deleteSpec(must(name, 'name is there'), must(key, 'key is there')),
      );
      context.print(`Key ${key} on instance type ${name} unset`);
    },
  },
};
