import { storageReference } from '@folsom/swift';
import { operations } from './operations.ts';

/** The container server's part of the reference. */
export const containerReference = (): string => storageReference('swift-container-server', 6001, operations);
