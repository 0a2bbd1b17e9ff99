import type { NotHonoured, OptionGroup } from '@folsom/config';

/** A file that several programs read: everything that may stand in it, whichever program acts on it. */
export interface ConfFile {
  declarations: readonly OptionGroup[];
  notHonoured: readonly NotHonoured[];
}
