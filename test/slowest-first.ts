import { BaseSequencer, type TestSpecification } from 'vitest/node';

/**
 * Files that take long, roughly the longest first. They begin before all others: a long one that begins last is what
 * everybody waits for. Those with real guests stand so far apart that two of them hardly run at once: they slow each other down,
 * to beyond their time limits.
 */
const SLOWEST = [
  'test/libvirt/guest.test.ts',
  'test/up/up.test.ts',
  'test/faults/object.test.ts',
  'test/torture/torture.test.ts',
  'test/golden/nova.test.ts',
  'test/faults/image.test.ts',
  'test/simulation/simulation.test.ts',
  'test/console/console.test.ts',
  'test/containers/compose.test.ts',
  'test/up/guest.test.ts',
  'test/faults/database-outage.test.ts',
  'test/security/compute-api-input.test.ts',
  'test/security/image-bad-input.test.ts',
  'libs/testing/rabbit-wire.test.ts',
  'libs/testing/bus.test.ts',
  'test/golden/swift-ring-builder.test.ts',
  'test/golden/swift.test.ts',
  'test/golden/glance.test.ts',
  'test/walkthrough/walkthrough.test.ts',
  'test/faults/killed-at-every-step.test.ts',
  'test/security/cross-tenant-listings.test.ts',
  'test/libvirt/kill.test.ts',
  'test/libvirt/many.test.ts',
];

/** Starts the slowest files first, the others by their size. */
export class SlowestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = SLOWEST.findIndex(name => moduleId.endsWith(`/${name}`));
      return at < 0 ? SLOWEST.length : at;
    };
    // Stable: what has no rank keeps its order.
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}
