import type { Case } from '../suite.ts';
import { accounts, containers, objects } from './basics.ts';
import { apiCases } from './headers.ts';
import { expiry, manifests, versions } from './large.ts';
import { listings } from './listings.ts';
import { conditions, copies, ranges } from './reading.ts';
import { access, forms, tempUrls, webSites } from './sharing.ts';

/** Everything that is asked of an object store, as swift's functional tests ask it and beyond. */
export const objectCases: readonly Case[] = [
  ...accounts,
  ...containers,
  ...objects,
  ...listings,
  ...ranges,
  ...conditions,
  ...copies,
  ...manifests,
  ...access,
  ...tempUrls,
  ...forms,
  ...webSites,
  ...versions,
  ...expiry,
  ...apiCases,
];
