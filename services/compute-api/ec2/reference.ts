import { EC2_ACTIONS } from './actions.ts';
import type { Action } from './http/action.ts';

const HEAD = `
## EC2

nova-api on port 8773, at \`/services/Cloud\`, by GET or POST: a signed query of the EC2 API (signature versions 0, 1 and 2, checked by the
identity service). Answers and errors are XML as Folsom writes it; an error is 400 with its code and text. \`*\` marks what must be given;
lists are \`Name.1\`, \`Name.2\` …, records \`Name.1.Field\` …. Policy is asked where the OpenStack API asks it: for what is done, not how.

| action | what it does | parameters |
| --- | --- | --- |
`;

const parametersOf = ({ parameters }: Action): string =>
  Object.entries(parameters)
    .map(([name, { kind, required }]) => `\`${name}\`${required ? '*' : ''} (${kind})`)
    .join(', ');

/** The EC2 API's part of the reference. */
export const ec2Reference = (): string =>
  HEAD + EC2_ACTIONS.map(one => `| \`${one.name}\` | ${one.about} | ${parametersOf(one)} |\n`).join('');
