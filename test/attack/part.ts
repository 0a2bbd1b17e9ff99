/** One kind of attack on the cloud, repeatable by its seed. */
export interface Part {
  name: string;
  /** Throws at the first thing that gives way; reports what it tried, with the seed. */
  run(options: { seed: number; count: number; report(line: string): void }): Promise<void> | void;
}
