import { createInterface } from 'node:readline/promises';
import { CommandLineError, formatHelp, parseFlags, RELEASE } from '@folsom/config';
import { MANAGE_COMMANDS, type ManageCall, runCacheManage } from '@folsom/image';
import { CACHE_MANAGE_FLAGS, CACHE_MANAGE_USAGE } from '@folsom/image/manage';

/** glance-cache-manage: lists and changes the image cache of a glance-api. */
export async function main(argv: string[]): Promise<number> {
  let parsed: ReturnType<typeof parseFlags>;
  try {
    parsed = parseFlags(CACHE_MANAGE_FLAGS, argv);
  } catch (error) {
    if (!(error instanceof CommandLineError)) throw error;
    process.stderr.write(`Usage: ${CACHE_MANAGE_USAGE}\n\nglance-cache-manage: error: ${error.message}\n`);
    return 2;
  }
  const { values, rest } = parsed;
  if (parsed.help || argv.length === 0) {
    process.stdout.write(formatHelp(CACHE_MANAGE_USAGE, CACHE_MANAGE_FLAGS));
    return 0;
  }
  if (values.version) {
    process.stdout.write(`glance-cache-manage ${RELEASE}\n`);
    return 0;
  }
  const [command, ...args] = rest;
  if (command === undefined) {
    process.stdout.write(`Usage: ${CACHE_MANAGE_USAGE}\n\n`);
    return 0;
  }
  if (command === 'help') {
    if (args.length !== 1) return refuse('Please specify a command');
    process.stdout.write(`\nglance-cache-manage ${args[0]} [options]\n`);
    return 0;
  }
  if (!(MANAGE_COMMANDS as readonly string[]).includes(command)) {
    process.stdout.write(`Usage: ${CACHE_MANAGE_USAGE}\n\n`);
    return refuse(`Unknown command: ${command}`);
  }
  const option = (name: string): string =>
    String(values[name] ?? (name.startsWith('os_') ? process.env[name.toUpperCase()] : undefined) ?? '');
  const given = option('host') || '0.0.0.0';
  // 0.0.0.0 is where a server listens; a client reaches it on this machine.
  const host = given === '0.0.0.0' ? '127.0.0.1' : given;
  const port = option('port') || '9292';
  const token = option('os_auth_token') || (await login(option));
  const call: ManageCall = async (method, path) => {
    const response = await fetch(`http://${host}:${port}${path}`, {
      method,
      headers: { accept: 'application/json', ...(token ? { 'x-auth-token': token } : {}) },
      signal: AbortSignal.timeout(60_000),
    });
    return { status: response.status, body: await response.text() };
  };
  const input = {
    command,
    args,
    host: given,
    force: values.force === true,
    verbose: values.verbose === true,
  };
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

/** A token from the identity service named by the options; none when they name none. */
async function login(option: (name: string) => string): Promise<string | null> {
  const url = option('os_auth_url');
  if (url === '' || option('os_auth_strategy') === 'noauth') return null;
  const response = await fetch(`${url.replace(/\/+$/, '')}/tokens`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      auth: {
        tenantName: option('os_tenant_name'),
        passwordCredentials: { username: option('os_username'), password: option('os_password') },
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
