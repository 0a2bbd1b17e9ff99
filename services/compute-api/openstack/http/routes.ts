import type { ComputeOperation } from './api.ts';
import { notFound } from './faults.ts';
import { operation } from './operation.ts';

/** What the original's router had for every resource, whether something was behind it or not. */
const SKELETON = [
  ['GET', ''],
  ['POST', ''],
  ['GET', '/new'],
  ['GET', '/:id/edit'],
  ['GET', '/:id'],
  ['PUT', '/:id'],
  ['DELETE', '/:id'],
] as const;

const placeOf = (method: string, path: string): string => `${method} ${path.replace(/:\w+/g, ':')}`;

/** The operations, and 404 in the API's own shape where a resource's path has nothing behind it. */
export function completed(
  operations: readonly ComputeOperation[],
  resources: readonly string[],
): ComputeOperation[] {
  const taken = new Set(operations.map(({ method, path }) => placeOf(method, path)));
  const absent = resources.flatMap(resource =>
    SKELETON.flatMap(([method, below]) => {
      const path = resource + below;
      const place = placeOf(method, path);
      if (taken.has(place)) return [];
      taken.add(place);
      return [
        operation({
          name: `${method} ${path}`,
          about: 'Nothing is there.',
          method,
          path,
          policy: null,
          answers: 404,
          run: () => {
            throw notFound();
          },
        }),
      ];
    }),
  );
  return [...operations, ...absent];
}
