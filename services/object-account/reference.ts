import { storageReference } from '@folsom/swift';
import { operations } from './operations.ts';

/** The account server's part of the reference. */
export const accountReference = (): string => storageReference('swift-account-server', 6002, operations);
