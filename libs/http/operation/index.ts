export * from './answer.ts';
export * from './front.ts';
export { mountOperations } from './mount.ts';
export * from './operation.ts';
export { type MountedOperation, operationsOf } from './registry.ts';
export type { Complaint, Place, Problem, Says } from './shape.ts';
export * from './shapes.ts';
