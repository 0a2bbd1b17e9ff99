export * from './builder.ts';
export { runRingBuilder } from './builder-commands.ts';
export * from './builder-file.ts';
export * from './devices.ts';
export * from './rebalance.ts';
export * from './ring.ts';
export * from './ring-data.ts';
