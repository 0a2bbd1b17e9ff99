import type { Caller } from '../http/api.ts';
import { SNAKE } from '../views/volumes.ts';
import { snapshotOperations } from '../volumes/snapshots.ts';

const everyTenant = ({ search }: Caller): boolean => new URLSearchParams(search).has('all_tenants');

export const snapshots = snapshotOperations({ path: '/snapshots', policy: null, words: SNAKE, everyTenant });
