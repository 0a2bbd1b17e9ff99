export * from './bus.ts';
export * from './contract.ts';
