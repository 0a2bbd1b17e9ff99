import { bool, int, list, options, port, secret, str } from '@folsom/config';
import { EXCEPTION_MODULES } from './failure.ts';

/** Folsom's options of the bus, in the DEFAULT section of nova.conf. Times are in seconds. */
export const rpcOptions = options('DEFAULT', {
  control_exchange: str('nova', 'Topic exchange that carries requests and notifications'),
  rabbit_host: str('localhost', 'Broker host'),
  rabbit_port: port(5672, 'Broker port'),
  rabbit_userid: str('guest', 'Broker user'),
  rabbit_password: secret('guest', 'Broker password'),
  rabbit_virtual_host: str('/', 'Broker virtual host'),
  rabbit_hosts: list(
    [],
    'Our own: brokers of a cluster as HOST:PORT, of which any is as good; default: rabbit_host and rabbit_port',
  ),
  rabbit_quorum_queues: bool(
    false,
    'Our own: queues that outlive a broker lie on most of the cluster; queues that are there otherwise have to go first',
  ),
  rabbit_use_ssl: bool(false, 'Connect to the broker with TLS'),
  kombu_ssl_keyfile: str('', 'TLS key file'),
  kombu_ssl_certfile: str('', 'TLS certificate file'),
  kombu_ssl_ca_certs: str('', 'TLS certification authority file'),
  rabbit_retry_interval: int(1, 'Seconds before the first reconnection'),
  rabbit_retry_backoff: int(2, 'Seconds added for every further one'),
  rabbit_max_retries: int(0, 'Reconnections before giving up; 0 for ever'),
  rabbit_durable_queues: bool(
    false,
    'Declare durable queues and exchanges, so that messages survive the broker',
  ),
  rpc_response_timeout: int(60, 'Seconds to wait for the answer to a call'),
  rpc_thread_pool_size: int(64, 'Messages worked on at the same time per consumer'),
  allowed_rpc_exception_modules: list(EXCEPTION_MODULES, 'Modules whose exceptions a caller rebuilds'),
});

/** The values {@link rpcOptions} gives; nova's own options hold them as well. */
export interface RabbitOptions {
  readonly control_exchange: string;
  readonly rabbit_host: string;
  readonly rabbit_port: number;
  readonly rabbit_userid: string;
  readonly rabbit_password: string;
  readonly rabbit_virtual_host: string;
  readonly rabbit_hosts?: readonly string[];
  readonly rabbit_quorum_queues?: boolean;
  readonly rabbit_use_ssl: boolean;
  readonly kombu_ssl_keyfile?: string;
  readonly kombu_ssl_certfile?: string;
  readonly kombu_ssl_ca_certs?: string;
  readonly rabbit_retry_interval: number;
  readonly rabbit_retry_backoff: number;
  readonly rabbit_max_retries: number;
  readonly rabbit_durable_queues: boolean;
  readonly rpc_response_timeout: number;
  readonly rpc_thread_pool_size: number;
  readonly allowed_rpc_exception_modules: readonly string[];
}

/** Flags of a queue, or exchange, that more than one process needs. */
export const lasting = (options: RabbitOptions) => ({
  durable: options.rabbit_durable_queues || options.rabbit_quorum_queues === true,
  autoDelete: false,
});

/** Flags of a queue that waits for its server. */
export const lastingQueue = (options: RabbitOptions) => ({
  ...lasting(options),
  exclusive: false,
  ...(options.rabbit_quorum_queues === true ? { arguments: { 'x-queue-type': 'quorum' } } : {}),
});

export interface Broker {
  host: string;
  port: number;
}

/** The brokers that may be asked, at least one. */
export function brokersOf(options: RabbitOptions): readonly [Broker, ...Broker[]] {
  const [first, ...rest] = (options.rabbit_hosts ?? []).map(text => {
    const at = text.lastIndexOf(':');
    const port = at < 0 ? options.rabbit_port : Number(text.slice(at + 1));
    const host = at < 0 ? text : text.slice(0, at);
    if (host === '' || !Number.isInteger(port) || port < 1 || port > 65_535)
      throw new Error(`rabbit_hosts: ${text} is not HOST:PORT`);
    return { host, port };
  });
  return first === undefined ? [{ host: options.rabbit_host, port: options.rabbit_port }] : [first, ...rest];
}

/** The brokers, in words. */
export const addressOf = (options: RabbitOptions): string =>
  brokersOf(options)
    .map(({ host, port }) => `${host}:${port}`)
    .join(', ');
