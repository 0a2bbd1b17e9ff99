import { type Problem, readerOf, scalarsAsText } from '@folsom/http/operation';
import Type, { type StaticDecode } from 'typebox';
import { fault, missing } from './faults.ts';
import type { Token } from './tokens/token.ts';

const text = (field: string) => Type.String({ says: () => missing(field, 'credentials') });
/** Whose signature it is; nobody's is as good as a wrong one. */
const access = Type.String({ says: () => fault('Unauthorized') });
const says = { type: () => missing('credentials') };

/** A signed EC2 request as a service hands it over: `credentials` of POST /ec2tokens. */
export const ec2Credentials = Type.Object(
  {
    access,
    params: Type.Decode(
      Type.Record(Type.String(), Type.Unknown(), { says: () => missing('params', 'credentials') }),
      scalarsAsText,
    ),
    signature: text('signature'),
    host: text('host'),
    verb: text('verb'),
    path: text('path'),
  },
  { says },
);
/** The same of POST /s3tokens. */
export const s3Credentials = Type.Object(
  { access, token: text('token'), signature: text('signature') },
  { says },
);

export type Ec2Credentials = StaticDecode<typeof ec2Credentials>;
export type S3Credentials = StaticDecode<typeof s3Credentials>;

/** Reads what a service of this process hands over. @throws 400, 401 */
export const readEc2Credentials = (given: unknown): Ec2Credentials =>
  readers.ec2.read(given) as Ec2Credentials;
export const readS3Credentials = (given: unknown): S3Credentials => readers.s3.read(given) as S3Credentials;

const complain = ({ path }: Problem) => missing(path.at(-1) ?? 'credentials', 'credentials');
const readers = {
  ec2: readerOf(ec2Credentials, 'body', complain),
  s3: readerOf(s3Credentials, 'body', complain),
};

/** Tokens for signed requests. Both throw 401 for a signature that is wrong, too old, or used before. */
export interface SignedLogin {
  ec2(signed: Ec2Credentials): Promise<Token>;
  s3(signed: S3Credentials): Promise<Token>;
}
