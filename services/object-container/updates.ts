import type { ContainerDb, DbRequest, ObjectRow } from '@folsom/container-db';
import type { ServerResponse } from '@folsom/swift-http';

type Request = DbRequest<ContainerDb>;

/** To be told by itself: then the server waits for a lock, or says in full what is wrong. */
const BY_ITSELF = 503;

/**
 * Notes the rows of many updates, those of one container together. Nobody waits here for a lock that another holds:
 * one container must not hold up the others.
 * @returns a status for each: 201, 204, or why not
 */
export async function takeUpdates(
  requests: readonly (Request | ServerResponse)[],
  rowOf: (request: Request) => { db: ContainerDb; row: ObjectRow } | ServerResponse,
): Promise<number[]> {
  const statuses: number[] = requests.map(() => BY_ITSELF);
  const together = new Map<ContainerDb, { rows: ObjectRow[]; at: number[] }>();
  requests.forEach((request, index) => {
    if ('status' in request) {
      statuses[index] = request.status;
      return;
    }
    const isUpdate =
      request.object !== undefined && (request.method === 'PUT' || request.method === 'DELETE');
    if (!isUpdate) return;
    try {
      const taken = rowOf(request);
      if ('status' in taken) {
        statuses[index] = taken.status;
        return;
      }
      const others = together.get(taken.db);
      if (others) {
        others.rows.push(taken.row);
        others.at.push(index);
      } else together.set(taken.db, { rows: [taken.row], at: [index] });
    } catch {
      // A damaged database, most likely.
    }
  });
  await Promise.all(
    [...together].map(async ([db, { rows, at }]) => {
      try {
        await db.put(rows, 0);
        rows.forEach((row, i) => {
          statuses[at[i] as number] = row.deleted ? 204 : 201;
        });
      } catch {
        // They come by themselves.
      }
    }),
  );
  return statuses;
}
