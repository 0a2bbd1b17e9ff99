import { auditVolumes } from '@folsom/volume';
import { novaTask } from '../nova-daemon.ts';

/** nova-volume-usage-audit: tells whoever bills which volumes there were in the last period; for cron. */
export const main = (argv: string[]): Promise<number> =>
  novaTask(argv, 'nova-volume-usage-audit', parts =>
    auditVolumes(parts, line => process.stdout.write(`${line}\n`)),
  );
