export { accountAudit } from './account-audit.ts';
export { benchOptions, runBench } from './bench.ts';
export {
  type DispersionTools,
  dispersionOptions,
  populateDispersion,
  reportDispersion,
} from './dispersion.ts';
export { runDispersion } from './dispersion-program.ts';
export { driveErrors, drivesBelow, withoutMount } from './drive-audit.ts';
export { GET_NODES_USAGE, nodesReport } from './get-nodes.ts';
export { objectReport } from './object-info.ts';
export { type ReconCheck, runRecon } from './recon.ts';
export { formSignature, tempUrl } from './signatures.ts';
