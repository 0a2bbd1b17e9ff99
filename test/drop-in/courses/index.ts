import { HOSTS } from '../programs.ts';
import { accessRules } from './access-rules.ts';
import { addresses } from './addresses.ts';
import type { Course } from './course.ts';
import { identity } from './identity.ts';
import { images } from './images.ts';
import { objects } from './objects.ts';
import { quotas } from './quotas.ts';
import { serversOn } from './servers.ts';
import { volumes } from './volumes.ts';

/** What is done with a cloud every day. */
export const EVERYDAY: readonly Course[] = [
  ...[identity, images, objects, quotas, accessRules, addresses, volumes],
  ...HOSTS.map(serversOn),
];
