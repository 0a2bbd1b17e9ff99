export * from './throwaway.ts';
