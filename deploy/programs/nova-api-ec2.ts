import { startConfiguredEc2Api } from '../ec2-api-program.ts';
import { novaDaemon } from '../nova-daemon.ts';

/** nova-api-ec2: the EC2 API alone. */
export const main = (argv: string[]): Promise<number> =>
  novaDaemon(argv, {
    program: 'nova-api-ec2',
    start: startConfiguredEc2Api,
  });
