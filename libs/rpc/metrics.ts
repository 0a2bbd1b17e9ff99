import { counter, gauge, histogram, WORK_SECONDS } from '@folsom/core';

/** Topics are those of daemons, without the host: `compute`. */
export const rpcMetrics = {
  sent: counter('folsom_rpc_sent_total', 'Messages handed to the bus.', ['kind', 'topic', 'method']),
  calls: histogram(
    'folsom_rpc_call_seconds',
    'How long callers waited for the answer to a call.',
    ['topic', 'outcome'],
    WORK_SECONDS,
  ),
  handled: histogram(
    'folsom_rpc_handle_seconds',
    'Duration of the work on a message; outcome is ok, fault, error, or again for one that is tried again.',
    ['topic', 'method', 'outcome'],
    WORK_SECONDS,
  ),
  age: histogram(
    'folsom_rpc_wait_seconds',
    'How old messages are when work on them begins; of messages that our own daemons sent.',
    ['topic'],
    WORK_SECONDS,
  ),
  redelivered: counter(
    'folsom_rpc_redelivered_total',
    'Messages that came again: given back after a failure that passes (again), or by the broker (broker).',
    ['topic', 'cause'],
  ),
  abandoned: counter('folsom_rpc_abandoned_total', 'Messages given up after all attempts.', [
    'topic',
    'method',
  ]),
  working: gauge('folsom_rpc_in_progress', 'Messages that are worked on.', ['topic']),
  waiting: gauge('folsom_rpc_queued', 'Messages that wait for a worker, in the bus of one process.', [
    'topic',
  ]),
  connected: gauge('folsom_rpc_connected', '1 while the message broker can be reached.', []),
  outbox: gauge('folsom_outbox_messages', 'Messages that are rows and not yet with the bus.', ['topic']),
  outboxAge: gauge(
    'folsom_outbox_oldest_seconds',
    'Age of the oldest of the messages that are rows, since this process has it.',
    [],
  ),
};

/** `compute` of `compute.node1` and `compute_fanout`: a label must not grow with the hosts. */
export const topicLabel = (topic: string): string => /^[a-z-]*/.exec(topic)?.[0] ?? '';
