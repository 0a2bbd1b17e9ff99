import type { Runner } from '@folsom/host/runner';

/** Packet filters that are only remembered: answer `iptables-save` and `iptables-restore --noflush`, those of IPv6 too, and nothing else. */
export interface PacketFilter {
  runner: Runner;
  /** What `iptables-save` prints. */
  text(): string;
  /** What `ip6tables-save` prints. */
  textV6(): string;
}

type Tables = Map<string, Map<string, string[]>>;

const BUILTIN: Readonly<Record<string, readonly string[]>> = {
  filter: ['INPUT', 'FORWARD', 'OUTPUT'],
  nat: ['PREROUTING', 'INPUT', 'OUTPUT', 'POSTROUTING'],
  mangle: ['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
};

/** One of the kernel's filters. */
function remembered(before: string, keep: (text: string) => void) {
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
  return { text, restore };
}

/** @param keep is told the new state of IPv4 after each change; `before` is such a state. */
export function packetFilter(before = '', keep: (text: string) => void = () => {}): PacketFilter {
  const v4 = remembered(before, keep);
  const v6 = remembered('', () => {});
  const runner = async ([program = ''], options: { input?: string | Uint8Array }) => {
    const [, six, verb] = /^ip(6?)tables-(save|restore)$/.exec(program) ?? refuse(program);
    const filter = six === '6' ? v6 : v4;
    if (verb === 'restore') filter.restore(String(options.input ?? ''));
    return { stdout: verb === 'save' ? filter.text() : '', stderr: '', code: 0 };
  };
  return {
    runner: Object.assign(runner, { prefix: [] }) as unknown as Runner,
    text: v4.text,
    textV6: v6.text,
  };
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
