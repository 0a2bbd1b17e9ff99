import { type AnyOperation, tasksOfSteps } from './operation.ts';

const code = (text: string | null): string => (text === null ? 'none' : `\`${text}\``);

const minutes = (ms: number | undefined): string => (ms === undefined ? '' : `${ms / 60_000} min`);

/** What a restart does with an operation, in words. */
const afterRestart = (op: AnyOperation): string => {
  if (op.asked.length === 0)
    return 'It has no task of its own: its message comes again, and it is done again.';
  if (op.carries === undefined) return 'A restart takes it up at once, as the steps say.';
  return `Its message alone has ${op.carries}: it comes again after a restart, and the chain is run again. Where the message is lost, the steps say what becomes of it.`;
};

const failure = (op: AnyOperation): string =>
  op.errorState
    ? 'A failure for good leaves the instance in ERROR, with a fault.'
    : 'A failure for good leaves the instance as it was, with a fault.';

function section(op: AnyOperation): string {
  const tasks = tasksOfSteps(op);
  const rows = op.steps.map((step, at) => [
    `\`${step.name}\``,
    (tasks[at] ?? []).map(code).join(', ') || 'none',
    minutes(step.stalledMs),
    step.undo === undefined ? '' : 'yes',
    step.commits ? 'yes' : '',
    step.restart,
  ]);
  return [
    `## ${op.name}`,
    '',
    `Asked for by ${op.methods.map(code).join(', ')}. ${afterRestart(op)} ${failure(op)}`,
    '',
    '| step | task_state | longest silence | undone | final | cut short |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map(row => `| ${row.join(' | ')} |`),
  ].join('\n');
}

const HEAD = `# Long operations of nova-compute

Made from \`services/compute-agent/operations/table.ts\`; a test holds both equal. Each operation is a chain of steps. A step
with a limit fails when it shows no progress for that long; the others ask only daemons and the database, whose every
answer has a limit of its own. When a step fails, the steps before it that can be undone are, last first; a step that is
*final* is not undone any more once it is done, nor is what came before it. A failure that passes by itself (database,
broker, disk, hypervisor or image service away) undoes nothing: the message comes again.

*Cut short* is what recovery does with an instance that it finds in the task of a step: \`again\` runs the chain from its
beginning, \`undo\` takes back what the steps did and leaves the instance as it was, \`error\` takes it back as far as that is
possible and leaves ERROR. Both write the fault \`InstanceInterrupted\`, which names host and task.`;

/** docs/operations.md. */
export const operationsPage = (operations: readonly AnyOperation[]): string =>
  `${[HEAD, ...operations.map(section)].join('\n\n')}\n`;
