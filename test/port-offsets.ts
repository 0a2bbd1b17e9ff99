/**
 * Where the clouds of suites and benchmarks listen, as `--ports-offset`: each in a place of its own, since suites run
 * side by side. Below the ports that the kernel gives to outgoing connections.
 */
export const PORT_OFFSETS = {
  up: -3000,
  /** The second cloud of a machine, beside the one with the standard ports. */
  second: 400,
  openstackClient: -2900,
  volumesAndEc2: -2800,
  allInOneFaults: -2750,
  listening: -2600,
  torture: -2650,
  console: -3310,
  benchMemory: -3270,
  benchVolume: -3200,
  benchCloud: -3180,
} as const;
