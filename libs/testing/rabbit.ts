import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { configFrom } from '@folsom/config';
import { HOST_ENV, run } from '@folsom/host';
import { type BackgroundProcess, startBackground } from '@folsom/host/background';
import { type RabbitOptions, rpcOptions } from '@folsom/rpc';
import amqp from 'amqplib';
import { freePorts, tempDir } from './places.ts';
import { requireProgram, type ThrowAwayServer, untilUp } from './servers.ts';

const START_MS = 180_000;

export interface RabbitServer extends ThrowAwayServer {
  /** `amqp://guest:guest@127.0.0.1:PORT/` */
  url: string;
  /** Runs rabbitmqctl against this broker and gives what it printed. */
  ctl(...args: string[]): Promise<string>;
}

/**
 * A RabbitMQ of the test's own: node name, base directory, cookie, ports and port mapper are all its own, so that any
 * number of them run beside each other. Works as root without systemd. `enter` are words that run a program inside a
 * test's namespace, `address` where it listens there.
 */
export async function startRabbit(
  options: { enter?: readonly string[]; address?: string } = {},
): Promise<RabbitServer> {
  const { enter = [], address = '127.0.0.1' } = options;
  const program = requireProgram('rabbit');
  const dir = tempDir('folsom-rabbit');
  const [port, distPort, mapperPort] = (await freePorts(3)) as [number, number, number];
  const logFile = join(dir.path, 'rabbit.log');
  const log = () => (existsSync(logFile) ? readFileSync(logFile, 'utf8') : '');
  for (const name of ['mnesia', 'log', 'schema']) mkdirSync(join(dir.path, name));
  writeFileSync(join(dir.path, 'plugins'), '[].\n');
  writeFileSync(
    join(dir.path, 'rabbit.conf'),
    'loopback_users = none\nlog.file = false\nlog.console = true\nlog.console.level = warning\nvm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n',
  );
  const env = {
    ...HOST_ENV,
    HOME: dir.path,
    RABBITMQ_NODENAME: `folsom${port}@localhost`,
    RABBITMQ_NODE_IP_ADDRESS: address,
    RABBITMQ_NODE_PORT: `${port}`,
    RABBITMQ_DIST_PORT: `${distPort}`,
    RABBITMQ_MNESIA_BASE: join(dir.path, 'mnesia'),
    RABBITMQ_LOG_BASE: join(dir.path, 'log'),
    RABBITMQ_SCHEMA_DIR: join(dir.path, 'schema'),
    RABBITMQ_GENERATED_CONFIG_DIR: join(dir.path, 'schema'),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(dir.path, 'plugins'),
    RABBITMQ_CONFIG_FILE: join(dir.path, 'rabbit.conf'),
    RABBITMQ_PID_FILE: join(dir.path, 'pid'),
    // Two cores are enough for a test, and one scheduler pair keeps its memory small.
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '+S 2:2 +sbwt none -noinput -start_epmd false',
    // The script becomes the broker instead of waiting for it, so that what ends the one ends the other.
    RABBITMQ_ALLOW_INPUT: 'true',
    ERL_EPMD_PORT: `${mapperPort}`,
    ERL_EPMD_ADDRESS: '127.0.0.1',
  };
  const url = `amqp://guest:guest@${address}:${port}/`;
  // Erlang's port mapper would otherwise be started as a daemon that outlives the broker.
  const mapper = await startBackground(
    [...enter, 'epmd', '-port', `${mapperPort}`, '-address', '127.0.0.1'],
    {
      env,
      dieWithParent: true,
    },
  );
  let server: BackgroundProcess | undefined;
  const ctl = async (...args: string[]) => {
    const argv = [...enter, '/usr/lib/rabbitmq/bin/rabbitmqctl', '-q', ...args];
    return (await run(argv, { env, timeoutMs: 60_000 })).stdout;
  };

  const start = async () => {
    if (server?.running) return;
    server = await startBackground([...enter, program], { env, cwd: dir.path, logFile, dieWithParent: true });
    const probe = async () => {
      // From outside a namespace the broker cannot be reached; its own tool tells.
      if (enter.length > 0) return void (await ctl('await_startup'));
      const connection = await amqp.connect(url, { timeout: 3000 });
      await connection.close();
    };
    await untilUp(server, probe, { timeoutMs: START_MS, log });
  };
  const end = async (signal: 'SIGTERM' | 'SIGKILL') => {
    if (signal === 'SIGTERM') await server?.stop(30_000);
    else server?.signal('SIGKILL');
    await server?.ended;
  };
  const stop = async () => {
    // Nothing is kept, so nothing needs to be closed in order.
    await end('SIGKILL');
    await mapper.stop(2000);
    dir.remove();
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    host: address,
    port,
    url,
    start,
    stop,
    kill: () => end('SIGKILL'),
    restart: async () => {
      await end('SIGTERM');
      await start();
    },
    ctl,
  };
}

/** The bus's options for a broker of {@link startRabbit}; reconnects quickly. */
export const rabbitOptions = (port: number): RabbitOptions => ({
  ...configFrom([rpcOptions], {
    DEFAULT: { rabbit_host: '127.0.0.1', rabbit_port: String(port) },
  }).of(rpcOptions),
  rabbit_retry_interval: 0.2,
  rabbit_retry_backoff: 0.2,
});
