export * from './clients-2012.ts';
export * from './network-namespace.ts';
export * from './programs.ts';
