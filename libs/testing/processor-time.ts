/**
 * Milliseconds of processor time that work in this process takes, all its threads together. Unlike the clock on the
 * wall it says the same on a busy machine.
 */
export async function processorMs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}
