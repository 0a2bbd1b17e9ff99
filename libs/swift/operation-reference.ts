import {
  ANY_STORAGE_REFUSES,
  type Fields,
  type Refusals,
  type StorageOperation,
  shapeOf,
} from './storage-operation.ts';

/** Statuses with their meanings, as the reference shows them. */
export const meanings = (refuses: Refusals): string =>
  Object.entries(refuses)
    .map(([status, meaning]) => `${status}: ${meaning}`)
    .join('; ');

/** What an operation answers and refuses, as a cell of the reference. */
export const answersCell = (answers: readonly number[], refuses?: Refusals): string =>
  [answers.join(' or '), ...(refuses ? [meanings(refuses)] : [])].join('; ');

const shown = (fields: Fields): string =>
  Object.entries(fields)
    .map(([name, field]) => `\`${name}${typeof field === 'string' ? '?' : ''}\` ${shapeOf(field)}`)
    .join(', ');

function row({
  name,
  about,
  method,
  path,
  query,
  headers,
  body,
  answers,
  refuses,
}: StorageOperation<unknown>) {
  const sent = [
    ...(query ? [`query: ${shown(query)}`] : []),
    ...(headers ? [`headers: ${shown(headers)}`] : []),
    ...(body ? [`body: ${body}`] : []),
  ].join('; ');
  return `| \`${method} ${path}\` | \`${name}\`: ${about} | ${sent} | ${answersCell(answers, refuses)} |\n`;
}

/** Stands before the parts of the storage servers. */
export const STORAGE_HEAD = `
## Storage servers

What swift's proxy and daemons ask of the servers that hold accounts, containers and objects. These ask nobody who he is: their ports belong
in a network of the cluster's own. \`?\` marks what may be left out, and what makes no sense there counts for nothing; \`*\` ends a name of
any ending. In a path \`?\` ends a name that may be missing, \`+\` one that takes the rest, \`*\` both. Any other path is 400, any other
method 405, a path that is not UTF-8 412. Any operation may answer ${meanings(ANY_STORAGE_REFUSES)}.
`;

/** A storage server's part of the reference. */
export const storageReference = (
  program: string,
  port: number,
  operations: readonly StorageOperation<unknown>[],
): string =>
  `\n### ${program}, port ${port}\n\n| request | what it does | what is sent | answers |\n| --- | --- | --- | --- |\n${operations.map(row).join('')}`;
