export * from './test-api.ts';
export * from './test-ec2.ts';
