import { describe, expect, it } from 'vitest';
import { CommandLineError, type Flag, formatHelp, parseFlags } from './index.ts';

const flags: Flag[] = [
  { name: '--host', metavar: '<host>', help: 'Host' },
  { name: '--hours', help: 'How long' },
  { name: '--disassociate-host', dest: 'dis_host', isSwitch: true, help: 'Take the host away' },
];

describe('parseFlags', () => {
  it('takes options anywhere, shortened where unique', () => {
    expect(parseFlags(flags, ['a', '--host=h', '--dis', 'b', '--hou', '3'])).toEqual({
      values: { host: 'h', dis_host: true, hours: '3' },
      rest: ['a', 'b'],
      help: false,
    });
    expect(parseFlags(flags, ['--', '--host']).rest).toEqual(['--host']);
    expect(parseFlags(flags, ['-h']).help).toBe(true);
  });
  it.each([
    [['--zone'], 'no such option: --zone'],
    [['-x'], 'no such option: -x'],
    [['--ho'], 'ambiguous option: --ho (--host, --hours?)'],
    [['--host'], '--host option requires an argument'],
    [['--dis=1'], '--disassociate-host option does not take a value'],
  ])('refuses %j', (argv, message) => {
    expect(() => parseFlags(flags, argv)).toThrow(new CommandLineError(message));
  });
});

describe('formatHelp', () => {
  it('puts explanations into a column and wraps them', () => {
    const long: Flag = { name: '--memory', metavar: '<memory size>', help: 'word '.repeat(15) };
    expect(formatHelp('prog <args>', [...flags.slice(0, 1), long])).toBe(`Usage: prog <args>

Options:
  -h, --help            show this help message and exit
  --host=<host>         Host
  --memory=<memory size>
                        word word word word word word word word word word word
                        word word word word
`);
  });
  it('narrows the column to the longest option', () => {
    expect(formatHelp('p', [{ name: '--a', metavar: 'B', help: 'c' }])).toContain('  --a=B       c\n');
  });
});
