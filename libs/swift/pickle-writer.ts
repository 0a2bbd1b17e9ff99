export * from '@folsom/pickle';
