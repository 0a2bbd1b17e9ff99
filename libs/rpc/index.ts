export * from './bus.ts';
export * from './contract.ts';
export { EXCEPTION_MODULES, type FaultStatus } from './failure.ts';
export { rpcFault } from './faults.ts';
export { RPC_LIMITS } from './limits.ts';
export * from './local-bus.ts';
export * from './notifier.ts';
export * from './options.ts';
export * from './rabbit-bus.ts';
