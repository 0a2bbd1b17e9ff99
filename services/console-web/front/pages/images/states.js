import { known } from '../../lib/text.js';

const TONES = {
  active: 'good',
  queued: 'plain',
  saving: 'busy',
  killed: 'bad',
  pending_delete: 'plain',
  deleted: 'plain',
};

export const imageState = image => ({
  tone: TONES[image.status] ?? 'plain',
  text: known(`imageStatus.${image.status}`) ?? image.status,
});

export const DISK_FORMATS = ['qcow2', 'raw', 'vmdk', 'vdi', 'vhd', 'iso', 'ami', 'ari', 'aki'];

/** What a file's name says about its format. */
export const formatOf = name => {
  const ending = name.toLowerCase().split('.').at(-1) ?? '';
  const said = { img: 'raw', qcow: 'qcow2', vhdx: 'vhd' }[ending] ?? ending;
  return DISK_FORMATS.includes(said) ? said : 'qcow2';
};

/** Amazon's three kinds are containers, too. */
export const containerOf = format => (['ami', 'ari', 'aki'].includes(format) ? format : 'bare');
