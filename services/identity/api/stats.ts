import { forAdmins, operation } from './operation.ts';

/** What the service counts. */
export const statisticsOperations = [
  operation({
    name: 'get_stats',
    about: 'Requests counted by method and status.',
    method: 'GET',
    path: '/OS-STATS/stats',
    ...forAdmins,
    answers: 200,
    run: ({ domain: { statistics: stats } }) => ({
      'OS-STATS:stats': (['admin', 'public'] as const).map(api => ({
        type: 'identity',
        api,
        extra: stats.get(api),
      })),
    }),
  }),
  operation({
    name: 'reset_stats',
    about: 'Begins to count anew.',
    method: 'DELETE',
    path: '/OS-STATS/stats',
    ...forAdmins,
    answers: 204,
    run: ({ domain: { statistics: stats } }) => {
      stats.reset();
      return undefined;
    },
  }),
];
