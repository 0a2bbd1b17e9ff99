/** The release whose programs these stand for: what their `--version` says, and what scripts look for. */
export const RELEASE = '2012.2.4';
