import { createHash } from 'node:crypto';
import { must } from '@folsom/core';
import type { Ring, RingDevice } from '@folsom/ring';
import type { PathHash } from '@folsom/swift';
import { type InternalClient, type InternalResponse, internalText, quotePath } from '@folsom/swift-http';

export interface AccountAuditTools {
  rings: { account: Ring; container: Ring; object: Ring };
  pathHash: PathHash;
  client: InternalClient;
  concurrency: number;
  /** Also reads every object and compares its md5. */
  deep: boolean;
  print(line: string): void;
  /** Is told the path of everything that is not as it should be. */
  inconsistent(path: string): void;
}

interface Counts {
  checked: number;
  missing: number;
  exceptions: number;
}

interface Listed {
  name: string;
  last_modified?: string;
  hash?: string;
}

const CONNECT_MS = 5000;
const TIMEOUT_MS = 60_000;

/** swift-account-audit: compares what all replicas say of accounts, their containers and the objects in those. */
export function accountAudit(tools: AccountAuditTools) {
  const { rings, pathHash, client, print } = tools;
  const fresh = (): Counts => ({ checked: 0, missing: 0, exceptions: 0 });
  const accounts = { ...fresh(), containerMismatch: 0, objectMismatch: 0 };
  const containers = { ...fresh(), countMismatch: 0, objectMismatch: 0 };
  const objects = { ...fresh(), checksumMismatch: 0 };
  const accountListings = new Map<string, Promise<Set<string>>>();
  const containerListings = new Map<string, Promise<Map<string, Listed>>>();
  const slots = limiter(tools.concurrency);

  const ask = (
    node: RingDevice,
    partition: number,
    method: string,
    path: string,
    query = '',
  ): Promise<InternalResponse> =>
    client.request(node, {
      method,
      path: `/${node.device}/${partition}${quotePath(path)}${query}`,
      headers: [],
      connectTimeoutMs: CONNECT_MS,
      timeoutMs: TIMEOUT_MS,
    });

  /** All of a listing from one replica; null when it has none. */
  const listing = async (
    node: RingDevice,
    partition: number,
    path: string,
    counts: Counts,
    what: string,
  ): Promise<{ headers: InternalResponse['headers']; rows: Listed[] } | null> => {
    const rows: Listed[] = [];
    for (let marker = ''; ; ) {
      try {
        const query = `?format=json&marker=${quotePath(marker).replaceAll('/', '%2F')}`;
        const response = await slots(() => ask(node, partition, 'GET', path, query));
        const text = (await internalText(response, 1 << 30)).toString('utf8');
        if (response.status < 200 || response.status >= 300) {
          counts.missing++;
          print(`  Bad status GETting ${what} on ${node.ip}/${node.device}`);
          return null;
        }
        const page = response.status === 204 ? [] : (JSON.parse(text) as Listed[]);
        rows.push(...page);
        if (page.length === 0) return { headers: response.headers, rows };
        marker = must(page.at(-1), 'page is not empty').name;
      } catch {
        counts.exceptions++;
        print(`  Exception GETting ${what} on ${node.ip}/${node.device}`);
        return null;
      }
    }
  };

  const disagree = (numbers: readonly number[], title: string): boolean => {
    if (new Set(numbers).size === 1) return false;
    print(title);
    if (numbers.length > 0) print(`  Max: ${Math.max(...numbers)}, Min: ${Math.min(...numbers)}`);
    return true;
  };

  const auditAccount = (account: string): Promise<Set<string>> =>
    once(accountListings, account, async () => {
      print(`Auditing account "${account}"`);
      const partition = rings.account.partition(pathHash.prefix(account));
      const nodes = rings.account.nodes(partition);
      const answers = await Promise.all(
        nodes.map(node => listing(node, partition, `/${account}`, accounts, `account '${account}'`)),
      );
      const found = answers.filter(answer => answer !== null);
      let consistent = found.length === nodes.length;
      const numbers = (header: string) => found.map(({ headers }) => Number(headers.get(header)));
      const title = (of: string) => `  Account databases for '${account}' don't agree on number of ${of}.`;
      if (disagree(numbers('x-account-container-count'), title('containers'))) {
        accounts.containerMismatch++;
        consistent = false;
      }
      if (disagree(numbers('x-account-object-count'), title('objects'))) {
        accounts.objectMismatch++;
        consistent = false;
      }
      accounts.checked++;
      if (!consistent) tools.inconsistent(`/${account}`);
      return new Set(found.flatMap(({ rows }) => rows.map(({ name }) => name)));
    });

  const auditContainer = (account: string, container: string): Promise<Map<string, Listed>> =>
    once(containerListings, `${account}/${container}`, async () => {
      print(`Auditing container "${container}"`);
      const path = `/${account}/${container}`;
      let consistent = true;
      if (!(await auditAccount(account)).has(container)) {
        consistent = false;
        print(`  Container ${path} not in account listing!`);
      }
      const partition = rings.container.partition(pathHash.prefix(account, container));
      const nodes = rings.container.nodes(partition);
      const answers = await Promise.all(
        nodes.map(node => listing(node, partition, path, containers, `container "${path}"`)),
      );
      const found = answers.filter(answer => answer !== null);
      consistent &&= found.length === nodes.length;
      const newest = new Map<string, Listed>();
      for (const { rows } of found) {
        for (const row of rows) {
          const known = newest.get(row.name);
          if (known && known.last_modified !== row.last_modified) {
            containers.objectMismatch++;
            consistent = false;
            print(`  Different versions of ${container}/${row.name} in container dbs.`);
          }
          if (!known || (row.last_modified ?? '') > (known.last_modified ?? '')) newest.set(row.name, row);
        }
      }
      if (found.length === 0) print(`  Failed to fetch container ${path} at all!`);
      else if (
        disagree(
          found.map(({ headers }) => Number(headers.get('x-container-object-count'))),
          "  Container databases don't agree on number of objects.",
        )
      ) {
        containers.countMismatch++;
        consistent = false;
      }
      containers.checked++;
      if (!consistent) tools.inconsistent(path);
      return newest;
    });

  const auditObject = async (account: string, container: string, object: string): Promise<void> => {
    const path = `/${account}/${container}/${object}`;
    const listed = (await auditContainer(account, container)).get(object);
    let consistent = listed !== undefined;
    if (!listed) print(`  Object ${path} missing in container listing!`);
    const partition = rings.object.partition(pathHash.prefix(account, container, object));
    const method = tools.deep ? 'GET' : 'HEAD';
    let answered = 0;
    for (const node of rings.object.nodes(partition)) {
      const where = `on ${node.ip}/${node.device}`;
      try {
        const response = await slots(() => ask(node, partition, method, path));
        const md5 = tools.deep ? await md5Of(response) : null;
        if (!tools.deep) await internalText(response);
        if (response.status < 200 || response.status >= 300) {
          objects.missing++;
          consistent = false;
          print(`  Bad status ${method}ing object "${path}" ${where}`);
          continue;
        }
        answered++;
        const etag = (response.headers.get('etag') ?? '').replace(/^"|"$/g, '');
        if (md5 !== null && etag !== md5) {
          objects.checksumMismatch++;
          consistent = false;
          print(`  MD5 doesnt match etag for "${path}" ${where}`);
        }
        if (listed?.hash && etag !== listed.hash) {
          objects.checksumMismatch++;
          consistent = false;
          print(`  ETag mismatch for "${path}" ${where}`);
        }
      } catch {
        objects.exceptions++;
        consistent = false;
        print(`  Exception fetching object "${path}" ${where}`);
      }
    }
    if (answered === 0) {
      consistent = false;
      print(`  Failed to fetch object ${path} at all!`);
    }
    objects.checked++;
    if (!consistent) tools.inconsistent(path);
  };

  const auditAllOf = async (account: string, container: string): Promise<void> => {
    const names = [...(await auditContainer(account, container)).keys()];
    await eachAtOnce(names, tools.concurrency, name => auditObject(account, container, name));
  };

  return {
    /** Audits an account, a container or an object, with everything in it. */
    audit: async (path: string): Promise<void> => {
      const [account, container, ...object] = path.replace(/^\/+/, '').split('/') as [string, ...string[]];
      if (account === '') return;
      if (object.length > 0 && object[0] !== '')
        await auditObject(account, must(container, 'container is there'), object.join('/'));
      else if (container) await auditAllOf(account, container);
      else for (const name of await auditAccount(account)) await auditAllOf(account, name);
    },
    printStats: (): void => {
      const row = (title: string, count: number, always = false) => {
        if (always || count > 0) print(`${title.padStart(18)}: ${count}`);
      };
      print('');
      row('  Accounts checked', accounts.checked, true);
      row('Missing Replicas', accounts.missing);
      row('Exceptions', accounts.exceptions);
      row('Cntainer mismatch', accounts.containerMismatch);
      row('Object mismatch', accounts.objectMismatch);
      print('');
      row('Containers checked', containers.checked, true);
      row('Missing Replicas', containers.missing);
      row('Exceptions', containers.exceptions);
      row('Count mismatch', containers.countMismatch);
      row('Obj mismatch', containers.objectMismatch);
      print('');
      row('Objects checked', objects.checked, true);
      row('Missing Replicas', objects.missing);
      row('Exceptions', objects.exceptions);
      row('MD5 Mismatch', objects.checksumMismatch);
    },
  };
}

/** What is asked for twice is found out once. */
function once<T>(known: Map<string, Promise<T>>, key: string, find: () => Promise<T>): Promise<T> {
  let found = known.get(key);
  if (!found) {
    found = find();
    known.set(key, found);
  }
  return found;
}

async function md5Of(response: InternalResponse): Promise<string> {
  const md5 = createHash('md5');
  for (let chunk = await response.body.read(); chunk !== null; chunk = await response.body.read())
    md5.update(chunk);
  return md5.digest('hex');
}

/** Lets so many pieces of work run at once; the others wait their turn. */
function limiter(atOnce: number) {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async <T>(work: () => Promise<T>): Promise<T> => {
    if (running >= atOnce) await new Promise<void>(go => waiting.push(go));
    running++;
    try {
      return await work();
    } finally {
      running--;
      waiting.shift()?.();
    }
  };
}

async function eachAtOnce<T>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  const worker = async () => {
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
  };
  await Promise.all(Array.from({ length: Math.max(1, atOnce) }, worker));
}
