import { createInterface } from 'node:readline/promises';
import { parseArgs } from 'node:util';
import { MANAGE_COMMANDS, type ManageCall, runCacheManage } from '@folsom/image';

const USAGE = 'Usage: glance-cache-manage <command> [options] [args]\n';

/** glance-cache-manage: lists and changes the image cache of a glance-api. */
export async function main(argv: string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: argv,
    allowPositionals: true,
    options: {
      version: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
      verbose: { type: 'boolean', short: 'v', default: false },
      debug: { type: 'boolean', short: 'd', default: false },
      host: { type: 'string', short: 'H', default: '0.0.0.0' },
      port: { type: 'string', short: 'p', default: '9292' },
      insecure: { type: 'boolean', short: 'k', default: false },
      force: { type: 'boolean', short: 'f', default: false },
      'os-auth-token': { type: 'string', short: 'A', default: process.env.OS_AUTH_TOKEN ?? '' },
      'os-username': { type: 'string', short: 'I', default: process.env.OS_USERNAME ?? '' },
      'os-password': { type: 'string', short: 'K', default: process.env.OS_PASSWORD ?? '' },
      'os-region-name': { type: 'string', short: 'R', default: process.env.OS_REGION_NAME ?? '' },
      'os-tenant-id': { type: 'string', default: process.env.OS_TENANT_ID ?? '' },
      'os-tenant-name': { type: 'string', short: 'T', default: process.env.OS_TENANT_NAME ?? '' },
      'os-auth-url': { type: 'string', short: 'N', default: process.env.OS_AUTH_URL ?? '' },
      os_auth_strategy: { type: 'string', short: 'S' },
    },
  });
  if (values.version) {
    process.stdout.write('glance-cache-manage 2012.2.4\n');
    return 0;
  }
  const [command, ...args] = positionals;
  if (values.help || command === undefined) {
    process.stdout.write(USAGE + commandList());
    return 0;
  }
  if (command === 'help') {
    if (args.length !== 1) return refuse('Please specify a command');
    process.stdout.write(`\nglance-cache-manage ${args[0]} [options]\n`);
    return 0;
  }
  if (!(MANAGE_COMMANDS as readonly string[]).includes(command)) {
    process.stdout.write(USAGE);
    return refuse(`Unknown command: ${command}`);
  }
  // 0.0.0.0 is where a server listens; a client reaches it on this machine.
  const host = values.host === '0.0.0.0' ? '127.0.0.1' : values.host;
  const token = values['os-auth-token'] || (await login(values));
  const call: ManageCall = async (method, path) => {
    const response = await fetch(`http://${host}:${values.port}${path}`, {
      method,
      headers: { accept: 'application/json', ...(token ? { 'x-auth-token': token } : {}) },
      signal: AbortSignal.timeout(60_000),
    });
    return { status: response.status, body: await response.text() };
  };
  const input = { command, args, host: values.host, force: values.force, verbose: values.verbose };
  return runCacheManage(input, call, {
    print: line => void process.stdout.write(`${line}\n`),
    confirm: async question => {
      if (!process.stdin.isTTY) return null;
      const lines = createInterface({ input: process.stdin, output: process.stdout });
      try {
        return /^y(es)?$/i.test((await lines.question(`${question} [y/N]: `)).trim());
      } finally {
        lines.close();
      }
    },
  });
}

function refuse(sentence: string): number {
  process.stderr.write(`${sentence}\n`);
  return 1;
}

const commandList = (): string =>
  `\nCommands:\n\n    help <command>  Output help for one of the commands below\n\n${MANAGE_COMMANDS.map(name => `    ${name}\n`).join('')}`;

/** A token from the identity service named by the options; none when they name none. */
async function login(values: Record<string, unknown>): Promise<string | null> {
  const url = String(values['os-auth-url'] ?? '');
  if (url === '' || values.os_auth_strategy === 'noauth') return null;
  const response = await fetch(`${url.replace(/\/+$/, '')}/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        tenantName: values['os-tenant-name'],
        passwordCredentials: { username: values['os-username'], password: values['os-password'] },
      },
    }),
    signal: AbortSignal.timeout(60_000),
  });
  const answer = (await response.json()) as { access?: { token?: { id?: string } } };
  if (!response.ok || !answer.access?.token?.id) {
    throw new Error(`the identity service refused the login (HTTP ${response.status})`);
  }
  return answer.access.token.id;
}
