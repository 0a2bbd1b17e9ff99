import { expect, it } from 'vitest';
import { dnValue, parseDn, sameDn } from './dn.ts';

const hostile = [
  'plain',
  'a,ou=Admins',
  'a+uid=root',
  'x\\',
  '"quoted"',
  '#deadbeef',
  ' leading and trailing ',
  ' ',
  'nul\u0000byte',
  'line\nbreak',
  '<>;=',
  'Zoë 张三 😀',
  '\\2c',
];

it.each(hostile)('makes one value of %j, and reads it again', value => {
  const parts = parseDn(`cn=${dnValue(value)},ou=Users,dc=example`);
  expect(parts).toEqual([
    { attribute: 'cn', value },
    { attribute: 'ou', value: 'Users' },
    { attribute: 'dc', value: 'example' },
  ]);
});

it('reads what servers write', () => {
  expect(parseDn('CN=Smith\\, John , OU = Users')).toEqual([
    { attribute: 'cn', value: 'Smith, John' },
    { attribute: 'ou', value: 'Users' },
  ]);
  expect(parseDn('cn=Lu\\C4\\8Di\\C4\\87')).toEqual([{ attribute: 'cn', value: 'Lučić' }]);
  expect(parseDn('')).toEqual([]);
});

it.each(['cn=a+uid=b,dc=x', 'cn=#04024869', 'no name', 'cn=a\\', 'cn=a\\zz,dc=x', '=x'])(
  'has no parts for %s',
  text => {
    expect(parseDn(text)).toBeNull();
  },
);

it('tells entries apart, not spellings', () => {
  const same = (one: string, other: string) => sameDn(parseDn(one) ?? [], parseDn(other) ?? []);
  expect(same('cn=A,ou=Users, dc=X', 'CN=a,OU=users,DC=x')).toBe(true);
  expect(same('cn=a,ou=Users', 'cn=a\\2cou=Users')).toBe(false);
  expect(same('cn=a,ou=Users', 'cn=a')).toBe(false);
});
