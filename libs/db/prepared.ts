import type { Knex } from 'knex';
import { LRUCache } from 'lru-cache';
import type { Queries } from './statements.ts';

/** The parts of knex's client that run what is compiled; knex publishes no types for them. */
interface Client {
  dialect: string;
  acquireConnection(): Promise<unknown>;
  releaseConnection(connection: unknown): Promise<void>;
  query(connection: unknown, query: Compiled): Promise<unknown>;
  processResponse(query: Compiled, runner: { client: Client }): unknown;
}

interface Compiled {
  sql: string;
  method: string;
  bindings: readonly unknown[];
}

/** A binding's place among the values of the call, or what it is in every call. */
type Slot = { value: number } | { constant: unknown };

interface Shape {
  compiled: Compiled;
  slots: readonly Slot[];
}

/** Shapes kept of one statement: lists of every length are shapes of their own. */
const SHAPES_MAX = 200;
/** Begins what stands for a value while a shape is compiled. No value of ours begins with that character. */
const MARK = '\u0000';

/**
 * A statement that is run often. knex's builder costs more than most of what it builds, so what it makes of arguments of one
 * shape is kept, and other values of that shape are put in its place. A shape is what may change the SQL: which keys a record
 * has, how long a list is, what is null, undefined, true or false. `build` must go by nothing else: strings and numbers, also those
 * within lists and records, reach it as marks that it can only hand on.
 *
 * @example
 * const nameOf = prepared((sql, uuid: string) => sql('instances').where({ uuid }).first('display_name'));
 * await nameOf(db.knex, uuid);
 */
export function prepared<Args extends readonly unknown[], Result>(
  build: (sql: Queries, ...args: Args) => PromiseLike<Result>,
): (sql: Queries, ...args: Args) => Promise<Result> {
  const shapes = new LRUCache<string, Shape>({ max: SHAPES_MAX });
  return async (sql, ...args) => {
    const client = sql.client as Client;
    const values: unknown[] = [];
    const key = `${client.dialect}${shapeOf(args, values)}`;
    let shape = shapes.get(key);
    if (shape === undefined) {
      shape = compile(build(sql, ...(marked(args, { next: 0 }) as Args)) as unknown as Knex.QueryBuilder);
      shapes.set(key, shape);
    }
    const bindings = shape.slots.map(slot => ('value' in slot ? values[slot.value] : slot.constant));
    return (await run(client, { ...shape.compiled, bindings })) as Result;
  };
}

async function run(client: Client, query: Compiled): Promise<unknown> {
  const connection = await client.acquireConnection();
  try {
    await client.query(connection, query);
  } finally {
    await client.releaseConnection(connection);
  }
  return client.processResponse(query, { client });
}

function compile(builder: Knex.QueryBuilder): Shape {
  const { sql, method, bindings } = builder.toSQL() as unknown as Compiled;
  const slots = bindings.map(
    (binding): Slot =>
      typeof binding === 'string' && binding.startsWith(MARK)
        ? { value: Number(binding.slice(MARK.length)) }
        : { constant: binding },
  );
  return { compiled: { sql, method, bindings: [] }, slots };
}

/** The shape of an argument as text; its values are added to `values` in the order of their marks. */
function shapeOf(argument: unknown, values: unknown[]): string {
  if (argument === null) return '0';
  if (argument === undefined) return '-';
  if (argument === true) return 't';
  if (argument === false) return 'f';
  if (typeof argument !== 'object') {
    values.push(argument);
    return '?';
  }
  let text = '';
  if (Array.isArray(argument)) {
    for (const item of argument) text += shapeOf(item, values);
    return `[${text}]`;
  }
  for (const [name, item] of Object.entries(argument))
    text += `${JSON.stringify(name)}${shapeOf(item, values)}`;
  return `{${text}}`;
}

/** The argument with marks for its values. */
function marked(argument: unknown, at: { next: number }): unknown {
  if (argument === null || argument === undefined || typeof argument === 'boolean') return argument;
  if (typeof argument !== 'object') return `${MARK}${at.next++}`;
  if (Array.isArray(argument)) return argument.map(item => marked(item, at));
  return Object.fromEntries(Object.entries(argument).map(([name, item]) => [name, marked(item, at)]));
}
