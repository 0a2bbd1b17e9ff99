export * from './answer.ts';
export * from './front.ts';
export { mountOperations } from './mount.ts';
export * from './operation.ts';
export { mediaTypeOf } from './reading.ts';
export { type ReferencePart, referencePage } from './reference.ts';
export { fieldsOf, type MountedOperation, operationsOf } from './registry.ts';
export { type Complaint, type Place, type Problem, type Reader, readerOf, type Says } from './shape.ts';
export * from './shapes.ts';
