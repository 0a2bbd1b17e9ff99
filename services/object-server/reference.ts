import { storageReference } from '@folsom/swift';
import { operations } from './operations.ts';

/** The object server's part of the reference. */
export const objectServerReference = (): string => storageReference('swift-object-server', 6000, operations);
