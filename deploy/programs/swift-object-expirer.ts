import { expireObjects, expirerOptions, startObjectExpirer } from '@folsom/object-server';
import { internalSwift } from '../swift-internal.ts';
import { runSwiftDaemon, swiftArgs } from '../swift-program.ts';

/** swift-object-expirer: deletes objects whose X-Delete-At has come. */
export async function main(argv: string[]): Promise<number> {
  const args = swiftArgs('swift-object-expirer', argv, true);
  if (typeof args === 'number') return args;
  const section = args.conf.section('object-expirer');
  const options = expirerOptions(section);
  return runSwiftDaemon(args, section, {
    once: async world => {
      const { swift, close } = internalSwift(args.conf, world);
      await expireObjects({ options, swift, world });
      close();
    },
    forever: world => startObjectExpirer({ options, swift: internalSwift(args.conf, world).swift, world }),
  });
}
