import { setTimeout as sleep } from 'node:timers/promises';
import { coalesced, isFault, must } from '@folsom/core';
import { chainDifferences } from './iptables-compare.ts';
import { withProcessLock } from './process-lock.ts';
import { HOST_COMMAND_MS, type Runner } from './runner.ts';

export type Table = 'filter' | 'nat' | 'mangle';

/**
 * The packet filter of one nova daemon. Its chains are named `<binary>-<chain>`; rules are texts in which `$name`
 * stands for such a chain. Changes are made in memory and written by {@link Iptables.apply}, which replaces only this
 * daemon's chains, in one transaction a table, and leaves everybody else's alone.
 */
export interface Iptables {
  /** Makes a chain of ours (`inst-7` becomes `nova-compute-inst-7`). Its rules so far are kept. */
  addChain(table: Table, chain: string): void;
  /** Forgets a chain, its rules and every rule of ours that jumps to it. */
  removeChain(table: Table, chain: string): void;
  /** Replaces all rules of a chain of ours. */
  setRules(table: Table, chain: string, rules: readonly string[]): void;
  addRule(table: Table, chain: string, rule: string): void;
  removeRule(table: Table, chain: string, rule: string): void;
  rules(table: Table, chain: string): readonly string[];
  chains(table: Table): readonly string[];
  /** Where the kernel has something else than this model, one sentence each; order counts where it decides. */
  differences(): Promise<string[]>;
  /** Writes what changed to the kernel. Requests made at the same time share one write. */
  apply(): Promise<void>;
  /** Takes every chain and rule of this daemon out of the kernel, for good: what is applied later is not written. */
  removeAll(): Promise<void>;
}

/** Chains that all nova daemons of a host share; each only owns its own jump in them. */
const SHARED: Readonly<Record<Table, readonly { name: string; from: readonly string[]; top: boolean }[]>> = {
  filter: [{ name: 'nova-filter-top', from: ['FORWARD', 'OUTPUT'], top: true }],
  nat: [{ name: 'nova-postrouting-bottom', from: ['POSTROUTING'], top: false }],
  mangle: [],
};

const BUILTIN: Readonly<Record<Table, readonly string[]>> = {
  filter: ['INPUT', 'OUTPUT', 'FORWARD'],
  nat: ['PREROUTING', 'OUTPUT', 'POSTROUTING'],
  mangle: ['POSTROUTING'],
};

const TABLES: readonly Table[] = ['filter', 'nat', 'mangle'];
/** Tables that Folsom's daemons have in each family, and the programs that read and write them. */
const FAMILIES = {
  4: { tables: TABLES, save: 'iptables-save', restore: 'iptables-restore' },
  6: { tables: ['filter'], save: 'ip6tables-save', restore: 'ip6tables-restore' },
} as const satisfies Record<number, { tables: readonly Table[]; save: string; restore: string }>;

/** Longest name the kernel takes. */
const CHAIN_NAME_CHARS_MAX = 28;

const APPLY_ATTEMPTS = 4;

/** iptables has no transaction over save and restore: one writer at a time on this host. */
const LOCK = 'iptables';

export interface IptablesOptions {
  runner: Runner;
  /** Folsom's program name, e.g. `nova-compute`; only its first 16 characters count. */
  binary: string;
  /** 6 for the packet filter of IPv6, which has no translation of addresses here; 4 if none is given. */
  family?: 4 | 6;
  /** Directory of the lock that every daemon of the host takes, the original's too (lock_path); none: only this process waits. */
  lockPath?: string;
}

export function iptables({ runner, binary, lockPath, family = 4 }: IptablesOptions): Iptables {
  const { tables, save, restore } = FAMILIES[family];
  const writers = <T>(work: () => Promise<T>): Promise<T> => withProcessLock(lockPath ?? null, LOCK, work);
  const prefix = binary.slice(0, 16);
  let removed = false;
  const model: Record<Table, Map<string, string[]>> = {
    filter: new Map([['local', []]]),
    nat: new Map([
      ['snat', ['-j $float-snat']],
      ['float-snat', []],
    ]),
    mangle: new Map(),
  };
  for (const table of TABLES) for (const chain of BUILTIN[table]) model[table].set(chain, []);

  const full = (chain: string): string => {
    const name = `${prefix}-${chain}`;
    if (name.length > CHAIN_NAME_CHARS_MAX) throw new Error(`iptables: chain name too long: ${name}`);
    return name;
  };
  const expand = (rule: string): string => rule.replace(/\$([\w-]+)/g, (_all, chain: string) => full(chain));
  const of = (table: Table, chain: string): string[] => {
    const rules = model[table].get(chain);
    if (rules === undefined) throw new Error(`iptables: no chain ${chain} in ${table}`);
    return rules;
  };

  /** Jumps into our chains from chains that are not ours, with the place they belong to. */
  const jumps = (table: Table): { chain: string; rule: string; top: boolean }[] => [
    ...BUILTIN[table].map(chain => ({ chain, rule: `-j ${full(chain)}`, top: false })),
    ...(table === 'filter' ? [{ chain: 'nova-filter-top', rule: `-j ${full('local')}`, top: false }] : []),
    ...(table === 'nat'
      ? [{ chain: 'nova-postrouting-bottom', rule: `-j ${full('snat')}`, top: false }]
      : []),
  ];

  const write = async (input: string): Promise<void> => {
    if (input === '') return;
    await runner([restore, '-w', '10', '--noflush'], { timeoutMs: HOST_COMMAND_MS, input });
  };

  /** What others (libvirt's filters) change between our look and our write makes the write fail: it is made anew. */
  const applyNow = () =>
    writers(async () => {
      // Work that was under way when everything was taken away must not bring it back.
      if (removed) return;
      for (let attempt = 1; ; attempt++) {
        const present = await snapshot(runner, save);
        const text = tables
          .map(table => restoreText(table, present[table], model[table], { full, expand, jumps, prefix }))
          .join('');
        try {
          return await write(text);
        } catch (error) {
          if (attempt >= APPLY_ATTEMPTS || !isFault(error, 'ProcessExecutionError')) throw error;
          await sleep(attempt * 50);
        }
      }
    });

  return {
    addChain: (table, chain) => {
      full(chain);
      if (!model[table].has(chain)) model[table].set(chain, []);
    },
    removeChain: (table, chain) => {
      model[table].delete(chain);
      const jump = new RegExp(`(^|\\s)-j \\$${chain}(\\s|$)`);
      for (const [name, rules] of model[table]) {
        model[table].set(
          name,
          rules.filter(rule => !jump.test(rule)),
        );
      }
    },
    setRules: (table, chain, rules) => {
      of(table, chain);
      model[table].set(chain, [...rules]);
    },
    addRule: (table, chain, rule) => {
      const rules = of(table, chain);
      if (!rules.includes(rule)) rules.push(rule);
    },
    removeRule: (table, chain, rule) => {
      model[table].set(
        chain,
        of(table, chain).filter(present => present !== rule),
      );
    },
    rules: (table, chain) => model[table].get(chain) ?? [],
    chains: table => [...model[table].keys()],
    differences: () =>
      writers(async () => {
        const present = await snapshot(runner, save);
        return tables.flatMap(table =>
          tableDifferences(present[table], model[table], {
            full,
            expand,
            prefix,
            jumps: jumps(table),
            shared: SHARED[table],
          }),
        );
      }),
    apply: coalesced(applyNow),
    removeAll: () =>
      writers(async () => {
        removed = true;
        const present = await snapshot(runner, save);
        await write(tables.map(table => removalText(table, present[table], prefix)).join(''));
      }),
  };
}

interface Present {
  chains: Set<string>;
  /** Rule texts by chain, in order, as iptables-save prints them after `-A CHAIN `. */
  rules: Map<string, string[]>;
}

/** What the kernel holds now. */
async function snapshot(runner: Runner, save: string): Promise<Record<Table, Present>> {
  const { stdout } = await runner([save], { timeoutMs: HOST_COMMAND_MS });
  const empty = (): Present => ({ chains: new Set(), rules: new Map() });
  const tables: Record<string, Present> = { filter: empty(), nat: empty(), mangle: empty() };
  let current: Present | undefined;
  for (const line of stdout.split('\n')) {
    if (line.startsWith('*')) {
      const name = line.slice(1).trim();
      tables[name] ??= empty();
      current = tables[name];
    } else if (line.startsWith(':')) {
      current?.chains.add(must(line.slice(1).split(' ')[0], 'a split has a first part'));
    } else {
      const rule = /^-A (\S+) (.*)$/.exec(line);
      if (rule === null || current === undefined) continue;
      const list = current.rules.get(must(rule[1], 'the pattern has group 1')) ?? [];
      list.push(must(rule[2], 'the pattern has group 2').trim());
      current.rules.set(must(rule[1], 'the pattern has group 1'), list);
    }
  }
  return tables as Record<Table, Present>;
}

interface Names {
  full(chain: string): string;
  expand(rule: string): string;
  jumps(table: Table): { chain: string; rule: string; top: boolean }[];
  prefix: string;
}

function restoreText(table: Table, present: Present, chains: Map<string, string[]>, names: Names): string {
  const wanted = new Set([...chains.keys()].map(names.full));
  const stale = [...present.chains].filter(name => name.startsWith(`${names.prefix}-`) && !wanted.has(name));
  const lines = [`*${table}`];
  // Declaring a chain empties it, so a shared one is only declared when it is missing.
  for (const shared of SHARED[table])
    if (!present.chains.has(shared.name)) lines.push(`:${shared.name} - [0:0]`);
  for (const name of [...wanted, ...stale]) lines.push(`:${name} - [0:0]`);
  for (const [chain, rules] of chains) {
    for (const rule of rules) lines.push(`-A ${names.full(chain)} ${names.expand(rule)}`);
  }
  for (const jump of names.jumps(table)) lines.push(...jumpLines(present, jump));
  for (const shared of SHARED[table]) {
    for (const from of shared.from) {
      lines.push(...jumpLines(present, { chain: from, rule: `-j ${shared.name}`, top: shared.top }));
    }
  }
  for (const name of stale) lines.push(`-X ${name}`);
  lines.push('COMMIT', '');
  return lines.join('\n');
}

/** Exactly one copy of a jump: the missing one is added, spare ones are removed, a good one is left where it is. */
function jumpLines(present: Present, jump: { chain: string; rule: string; top: boolean }): string[] {
  const rules = present.rules.get(jump.chain) ?? [];
  const copies = rules.filter(rule => rule === jump.rule).length;
  if (copies === 0) return [jump.top ? `-I ${jump.chain} 1 ${jump.rule}` : `-A ${jump.chain} ${jump.rule}`];
  if (jump.top && rules[0] !== jump.rule && !rules[0]?.startsWith('-j nova-')) {
    return [
      ...new Array<string>(copies).fill(`-D ${jump.chain} ${jump.rule}`),
      `-I ${jump.chain} 1 ${jump.rule}`,
    ];
  }
  return new Array<string>(copies - 1).fill(`-D ${jump.chain} ${jump.rule}`);
}

function tableDifferences(
  present: Present,
  chains: ReadonlyMap<string, readonly string[]>,
  names: Pick<Names, 'full' | 'expand' | 'prefix'> & {
    jumps: readonly { chain: string; rule: string }[];
    shared: (typeof SHARED)[Table];
  },
): string[] {
  const wanted = new Map([...chains].map(([chain, rules]) => [names.full(chain), rules.map(names.expand)]));
  const out: string[] = [];
  for (const [chain, rules] of wanted) {
    if (present.chains.has(chain))
      out.push(...chainDifferences(chain, rules, present.rules.get(chain) ?? []));
    else out.push(`${chain} is missing`);
  }
  for (const chain of present.chains)
    if (chain.startsWith(`${names.prefix}-`) && !wanted.has(chain)) out.push(`${chain} is nobody's`);
  for (const { chain, rule } of names.jumps)
    if (!present.rules.get(chain)?.includes(rule)) out.push(`${chain} lacks: ${rule}`);
  for (const { name, from } of names.shared)
    for (const chain of from)
      if (!present.rules.get(chain)?.includes(`-j ${name}`)) out.push(`${chain} lacks: -j ${name}`);
  return out;
}

function removalText(table: Table, present: Present, prefix: string): string {
  const ours = [...present.chains].filter(name => name.startsWith(`${prefix}-`));
  if (ours.length === 0) return '';
  const lines = [`*${table}`];
  const jumpsToOurs = (rule: string) => ours.some(name => rule.endsWith(`-j ${name}`));
  for (const [chain, rules] of present.rules) {
    if (chain.startsWith(`${prefix}-`)) continue;
    for (const rule of rules) if (jumpsToOurs(rule)) lines.push(`-D ${chain} ${rule}`);
  }
  // A shared chain goes with the last daemon that used it.
  for (const shared of SHARED[table]) {
    if (!present.chains.has(shared.name)) continue;
    const others = (present.rules.get(shared.name) ?? []).filter(rule => !jumpsToOurs(rule));
    if (others.length > 0) continue;
    for (const from of shared.from) {
      for (const rule of present.rules.get(from) ?? []) {
        if (rule === `-j ${shared.name}`) lines.push(`-D ${from} ${rule}`);
      }
    }
    ours.push(shared.name);
  }
  for (const name of ours) lines.push(`-F ${name}`);
  for (const name of ours) lines.push(`-X ${name}`);
  lines.push('COMMIT', '');
  return lines.join('\n');
}
