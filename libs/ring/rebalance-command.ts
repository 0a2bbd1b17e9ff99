import { EmptyRingError, RingValidationError, ringBalance, validate } from './builder.ts';
import type { CommandRun } from './command.ts';
import { rebalance } from './rebalance.ts';

const RULE = '-'.repeat(79);

/** `rebalance`: prints what happened; says whether the result is worth writing, and the exit status. */
export function rebalanceCommand(run: CommandRun): { save: boolean; exit: number } {
  const { builder } = run;
  const changedBefore = builder.devicesChanged;
  const print = (...lines: string[]) => run.out(`${lines.join('\n')}\n`);
  const invalid = (message: string) => {
    print(
      RULE,
      'An error has occurred during ring validation. Common',
      'causes of failure are rings that are empty or do not',
      'have enough devices to accommodate the replica count.',
      `Original exception message:\n ${message}`,
      RULE,
    );
    return { save: false, exit: 2 };
  };
  try {
    const before = ringBalance(builder);
    const { moved, balance } = rebalance(builder, { nowSeconds: run.clock.now() / 1000, random: run.random });
    if (moved === 0) {
      print(
        'No partitions could be reassigned.',
        `Either none need to be or none can be due to min_part_hours [${builder.minPartHours}].`,
      );
      return { save: false, exit: 1 };
    }
    if (!changedBefore && Math.abs(before - balance) < 1) {
      print('Cowardly refusing to save rebalance as it did not change at least 1%.');
      return { save: false, exit: 1 };
    }
    validate(builder);
    const share = ((100 * moved) / builder.parts).toFixed(2);
    print(`Reassigned ${moved} (${share}%) partitions. Balance is now ${balance.toFixed(2)}.`);
    if (balance <= 5) return { save: true, exit: 0 };
    print(
      RULE,
      `NOTE: Balance of ${balance.toFixed(2)} indicates you should push this `,
      `      ring, wait at least ${builder.minPartHours} hours, and rebalance/repush.`,
      RULE,
    );
    return { save: true, exit: 1 };
  } catch (error) {
    if (error instanceof EmptyRingError || error instanceof RingValidationError)
      return invalid(error.message);
    throw error;
  }
}
