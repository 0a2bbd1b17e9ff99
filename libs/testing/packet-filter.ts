import type { Runner } from '@folsom/host/runner';

/** A packet filter that is only remembered: answers `iptables-save` and `iptables-restore --noflush`, and nothing else. */
export interface PacketFilter {
  runner: Runner;
  /** What `iptables-save` prints. */
  text(): string;
}

type Tables = Map<string, Map<string, string[]>>;

const BUILTIN: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};

/** @param keep is told the new state after each change; `before` is such a state. */
export function packetFilter(before = '', keep: (text: string) => void = () => {}): PacketFilter {
  let tables: Tables = new Map(
    Object.entries(BUILTIN).map(([table, chains]) => [table, new Map(chains.map(chain => [chain, []]))]),
  );
  const text = () =>
    [...tables]
      .map(([table, chains]) =>
        [
          `*${table}`,
          ...[...chains.keys()].map(chain => `:${chain} - [0:0]`),
          ...[...chains].flatMap(([chain, rules]) => rules.map(rule => `-A ${chain} ${rule}`)),
          'COMMIT\n',
        ].join('\n'),
      )
      .join('');
  /** All of it or nothing. */
  const restore = (input: string): void => {
    const next: Tables = new Map([...tables].map(([name, chains]) => [name, copy(chains)]));
    let chains = new Map<string, string[]>();
    for (const line of input.split('\n').filter(Boolean)) {
      if (line.startsWith('*')) chains = next.get(line.slice(1)) ?? refuse(line);
      else if (line.startsWith(':')) chains.set(line.slice(1).split(' ')[0]!, []);
      else if (line !== 'COMMIT') change(chains, line);
    }
    tables = next;
    keep(text());
  };
  if (before !== '') restore(before);
  const runner = async (argv: readonly string[], options: { input?: string | Uint8Array }) => {
    if (argv[0] === 'iptables-restore') restore(String(options.input ?? ''));
    else if (argv[0] !== 'iptables-save') refuse(argv.join(' '));
    return { stdout: argv[0] === 'iptables-save' ? text() : '', stderr: '', code: 0 };
  };
  return { runner: Object.assign(runner, { prefix: [] }) as unknown as Runner, text };
}

const copy = (chains: Map<string, string[]>) =>
  new Map([...chains].map(([chain, rules]) => [chain, [...rules]]));

const refuse = (what: string): never => {
  throw new Error(`the packet filter does not understand: ${what}`);
};

function change(chains: Map<string, string[]>, line: string): void {
  const [, verb, chain, rest = ''] = /^-([AIDFX]) (\S+)(?: (.*))?$/.exec(line) ?? refuse(line);
  const rules = chains.get(chain!) ?? refuse(line);
  const target = /-j (\S+)/.exec(rest)?.[1];
  if ((verb === 'A' || verb === 'I') && target && /^nova-/.test(target) && !chains.has(target)) refuse(line);
  if (verb === 'A') rules.push(rest);
  else if (verb === 'I') rules.unshift(rest.replace(/^1 /, ''));
  else if (verb === 'F') rules.length = 0;
  else if (verb === 'D') {
    const at = rules.indexOf(rest);
    if (at < 0) refuse(line);
    rules.splice(at, 1);
  } else {
    const used = [...chains.values()].flat().some(rule => rule.split(' ').includes(chain!));
    if (used || rules.length > 0) refuse(line);
    chains.delete(chain!);
  }
}
