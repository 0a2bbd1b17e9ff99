import type { IniFile } from './ini.ts';

/**
 * Settings of brokers this product does not speak. They are accepted, so that a deployment's files work as they
 * stand, and answered with one sentence that says what is used instead.
 */
export const isForeignBrokerOption = (name: string, value: string): boolean =>
  /^qpid_|^rpc_zmq_|^matchmaker_/.test(name) || (name === 'rpc_backend' && /qpid|zmq/.test(value));

/** One sentence for all such settings of a file, or undefined. */
export function brokerNotice(ini: IniFile): string | undefined {
  const found = ini.sections
    .flatMap(section => section.entries)
    .filter(entry => isForeignBrokerOption(entry.key, entry.value));
  if (found.length === 0) return undefined;
  const broker = found.some(entry => /qpid/.test(entry.key + entry.value)) ? 'Qpid' : 'ZeroMQ';
  const where = found.map(entry => `${entry.key} (line ${entry.line})`).join(', ');
  return (
    `${ini.file}: ${broker} settings are not used: ${where}. ` +
    'RabbitMQ is the broker; set rabbit_host, rabbit_port, rabbit_userid and rabbit_password.'
  );
}
