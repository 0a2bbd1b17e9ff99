/** nova-rpc-zmq-receiver: there is nothing to receive, and it says so instead of running for nothing. */
export async function main(): Promise<number> {
  process.stderr.write(
    'nova-rpc-zmq-receiver: ZeroMQ is not spoken here: RabbitMQ is the broker. ' +
      'Set rabbit_host, rabbit_port, rabbit_userid and rabbit_password in nova.conf; no receiver is needed.\n',
  );
  return 1;
}
