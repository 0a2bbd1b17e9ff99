import { readFileSync } from 'node:fs';
import type { World } from '@folsom/core';
import type { Channel, ChannelModel, ConfirmChannel } from 'amqplib';
import { rpcFault } from './faults.ts';
import { addressOf, type Broker, brokersOf, lasting, type RabbitOptions } from './options.ts';
import { reconnectPauseMs } from './reconnect-pause.ts';

/** One life of the connection; everything made in it is gone when it ends. */
export interface Session {
  readonly model: ChannelModel;
  /** Publishes with confirms. */
  readonly publisher: ConfirmChannel;
  readonly ended: boolean;
}

/** Runs in every new session, before it is handed out; sets up what must exist again. */
export type SessionSetup = (session: Session) => Promise<void>;

export interface RabbitConnection {
  /** The current session; waits for one up to `timeoutMs`, then throws RpcUnavailable. */
  session(timeoutMs: number): Promise<Session>;
  /** Whether there is one. */
  connected(): boolean;
  onSession(setup: SessionSetup): () => void;
  close(): Promise<void>;
}

interface MutableSession extends Session {
  ended: boolean;
}

interface Waiter {
  resolve(session: Session): void;
  reject(error: unknown): void;
}

const CONNECT_MS = 10_000;
const HEARTBEAT_S = 20;
/** Longer timers fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** Keeps one connection to the broker, and makes a new one with growing pauses whenever it is lost. */
export function rabbitConnection(options: RabbitOptions, world: World): RabbitConnection {
  const brokers = brokersOf(options);
  /** The one to ask next. Not all processes begin with the same. */
  let turn = brokers.length > 1 ? world.random.int(brokers.length) : 0;
  const nextBroker = (): Broker => brokers[turn++ % brokers.length] ?? brokers[0];
  const address = addressOf(options);
  const setups = new Set<SessionSetup>();
  const waiters = new Set<Waiter>();
  const closing = new AbortController();
  let current: MutableSession | undefined;
  let gaveUp = false;

  const settle = (settleOne: (waiter: Waiter) => void) => {
    for (const waiter of [...waiters]) settleOne(waiter);
    waiters.clear();
  };

  const open = async (broker: Broker): Promise<MutableSession> => {
    // Loaded here: a cloud on the in-process bus starts sooner and stays smaller without it.
    const { default: amqp } = await import('amqplib');
    const model = await amqp.connect(connectOptions(options, broker), {
      timeout: CONNECT_MS,
      noDelay: true,
      keepAlive: true,
      clientProperties: { product: 'folsom', connection_name: 'folsom' },
      ...tlsOptions(options),
    });
    let session: MutableSession | undefined;
    const lost = () => {
      if (session === undefined || session.ended) return;
      session.ended = true;
      if (current !== session) return;
      current = undefined;
      if (closing.signal.aborted) return;
      world.log.warn('the connection to the message broker is lost', { address });
      void connectLoop();
    };
    // The error is followed by a close, which is what counts.
    model.on('error', () => {});
    model.on('close', lost);
    model.on('blocked', reason =>
      world.log.warn('the message broker takes no messages', { address, reason }),
    );
    model.on('unblocked', () => world.log.info('the message broker takes messages again', { address }));
    try {
      const publisher = await model.createConfirmChannel();
      publisher.on('error', () => {});
      session = { model, publisher, ended: false };
      const own = session;
      // A publisher that the broker has closed is of no use; a new session is the plainest way to a new one.
      publisher.on('close', () => {
        if (!own.ended) model.close().catch(() => {});
      });
      publisher.setMaxListeners(0);
      await publisher.assertExchange(options.control_exchange, 'topic', lasting(options));
      for (const setup of setups) await setup(session);
      if (session.ended) throw new Error('lost during set-up');
      return session;
    } catch (error) {
      if (session !== undefined) session.ended = true;
      await model.close().catch(() => {});
      throw error;
    }
  };

  const connectLoop = async () => {
    for (let tried = 1; !closing.signal.aborted; tried++) {
      // Every broker has been asked as often.
      const attempt = Math.ceil(tried / brokers.length);
      const broker = nextBroker();
      const address = `${broker.host}:${broker.port}`;
      try {
        const session = await open(broker);
        if (closing.signal.aborted) return void session.model.close().catch(() => {});
        current = session;
        world.log.info('connected to the message broker', { address });
        return settle(waiter => waiter.resolve(session));
      } catch (error) {
        const isLast = tried % brokers.length === 0;
        const pauseMs = isLast ? reconnectPauseMs(options, attempt) : 0;
        world.log.warn('cannot reach the message broker', {
          address,
          attempt,
          nextTryMs: pauseMs,
          why: (error as Error).message,
        });
        if (isLast && options.rabbit_max_retries > 0 && attempt >= options.rabbit_max_retries) {
          gaveUp = true;
          world.log.error('gave up on the message broker (rabbit_max_retries)', { address, attempt });
          return settle(waiter => waiter.reject(rpcFault('RpcUnavailable', { address })));
        }
        await world.clock.sleep(pauseMs, closing.signal).catch(() => {});
      }
    }
  };

  void connectLoop();
  return {
    async session(timeoutMs) {
      if (closing.signal.aborted) throw rpcFault('RpcClosed');
      if (current !== undefined) return current;
      if (gaveUp) throw rpcFault('RpcUnavailable', { address });
      return new Promise((resolve, reject) => {
        const waiter: Waiter = {
          resolve: session => {
            timer.cancel();
            resolve(session);
          },
          reject: error => {
            timer.cancel();
            reject(error);
          },
        };
        const timer = world.clock.after(Math.min(timeoutMs, TIMER_MS_MAX), () => {
          waiters.delete(waiter);
          reject(rpcFault('RpcUnavailable', { address }));
        });
        waiters.add(waiter);
      });
    },
    connected: () => current !== undefined,
    onSession(setup) {
      setups.add(setup);
      return () => setups.delete(setup);
    },
    async close() {
      if (closing.signal.aborted) return;
      closing.abort(new Error('closed'));
      settle(waiter => waiter.reject(rpcFault('RpcClosed')));
      const session = current;
      current = undefined;
      if (session === undefined) return;
      session.ended = true;
      await session.model.close().catch(() => {});
    },
  };
}

function connectOptions(options: RabbitOptions, { host, port }: Broker) {
  return {
    protocol: options.rabbit_use_ssl ? 'amqps' : 'amqp',
    hostname: host,
    port,
    username: options.rabbit_userid,
    password: options.rabbit_password,
    vhost: options.rabbit_virtual_host,
    heartbeat: HEARTBEAT_S,
    frameMax: 131_072,
  };
}

function tlsOptions(options: RabbitOptions) {
  if (!options.rabbit_use_ssl) return {};
  const file = (path: string | undefined) => (path ? readFileSync(path) : undefined);
  return {
    ca: file(options.kombu_ssl_ca_certs),
    cert: file(options.kombu_ssl_certfile),
    key: file(options.kombu_ssl_keyfile),
    // As in Folsom, the broker's certificate is only checked where an authority is named.
    rejectUnauthorized: Boolean(options.kombu_ssl_ca_certs),
  };
}

/** A channel whose errors do not end the process; what happens on them shows in rejected operations and its close. */
export async function openChannel(session: Session): Promise<Channel> {
  const channel = await session.model.createChannel();
  channel.on('error', () => {});
  return channel;
}
