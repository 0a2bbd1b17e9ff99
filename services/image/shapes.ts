import type { Problem } from '@folsom/http/operation';
import Type from 'typebox';
import { httpFault } from './faults.ts';

/** A whole number in a query, of any size. */
export const wholeNumber = (says: (problem: Problem) => ReturnType<typeof httpFault>) =>
  Type.Decode(Type.String({ title: 'number', pattern: '^\\s*[+-]?\\d+\\s*$', says }), text => Number(text));

/** How many entries a page may have. `how` tells whether the text replaces the standard one or follows it. */
export const pageLimit = (how: 'explanation' | 'detail') =>
  Type.Decode(
    Type.Refine(
      Type.String({
        title: 'number',
        pattern: '^\\s*[+-]?\\d+\\s*$',
        says: ({ keyword }: Problem) =>
          httpFault(400, {
            [how]: `limit param must be ${keyword === 'pattern' ? 'an integer' : 'positive'}`,
          }),
      }),
      text => !/^\s*-0*[1-9]/.test(text),
    ),
    text => Number(text),
  );

/** The id of an image in a path; none is not found. */
export const imageId = Type.String({ minLength: 1 });
/** The same without a format suffix. */
export const imageIdWithSuffix = Type.Decode(imageId, id => {
  const dot = id.indexOf('.');
  return dot > 0 ? id.slice(0, dot) : id;
});
