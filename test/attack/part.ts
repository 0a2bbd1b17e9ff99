/** One kind of attack on the cloud, repeatable by its seed. */
export interface Part {
  name: string;
  /** Of a hundred requests of a run of all parts, how many are its own: a part with few cases, or slow ones, has fewer. */
  share: number;
  /** Throws what gave way; reports what it tried, with the seed. Answers how many requests that were. */
  run(options: { seed: number; count: number; report(line: string): void }): Promise<number>;
}
