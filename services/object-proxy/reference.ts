import { answersCell, meanings } from '@folsom/swift';
import { ANY_REFUSES, type May, operations, type SwiftOperation } from './operations.ts';

const WHO: Readonly<Record<May, string>> = {
  reseller: 'a reseller',
  operator: 'an operator of the account',
  readers: 'those, or whom the list for reading names',
  writers: 'those, or whom the list for writing names',
};

const HEAD = `
## Objects

swift-proxy-server on port 8080. An account, a container or an object is described by headers; a name that ends in \`*\` stands for all that
begin so. Bytes go as they are. Listings are text, JSON or XML, by \`format\` or Accept. Any operation may answer
${meanings(ANY_REFUSES)}.

| request | what it does | who may | query and headers | answers |
| --- | --- | --- | --- | --- |
`;

const code = (names: readonly string[]): string => names.map(name => `\`${name}\``).join(', ');

function row({ name, about, method, path, may, query, headers, answers, refuses }: SwiftOperation): string {
  const sent = [...(query ? [`? ${code(query)}`] : []), ...(headers ? [code(headers)] : [])].join('; ');
  return `| \`${method} /v1/${path}\` | \`${name}\`: ${about} | ${WHO[may]} | ${sent} | ${answersCell(answers, refuses)} |\n`;
}

/** Object storage's part of the reference. */
export const objectReference = (): string => HEAD + operations.map(row).join('');
