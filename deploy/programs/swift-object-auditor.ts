import { type AuditKind, auditObjects, auditorOptions, startObjectAuditor } from '@folsom/object-server';
import { runSwiftDaemon, swiftArgs } from '../swift-program.ts';

/** swift-object-auditor: reads every object and puts damaged ones into quarantine. */
export async function main(argv: string[]): Promise<number> {
  const args = swiftArgs('swift-object-auditor', argv, true);
  if (typeof args === 'number') return args;
  const section = args.conf.section('object-auditor');
  const options = auditorOptions(section);
  if (args.zeroByteFps > 0) options.zeroByteFilesPerSecond = args.zeroByteFps;
  const once: AuditKind = args.zeroByteFps > 0 ? 'ZBF' : 'ALL';
  return runSwiftDaemon(args, section, {
    once: world => auditObjects(options, once, world),
    forever: world => startObjectAuditor(options, world, args.zeroByteFps > 0 ? ['ZBF'] : ['ALL', 'ZBF']),
  });
}
