import { startConsole } from '@folsom/console';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-console: known to the cloud; text consoles of Xen hosts are refused. */
export function main(argv: string[]): Promise<number> {
  return novaDaemon(argv, { program: 'nova-console', start: startConsole });
}
