const CLUSTER_BITS = 16;
const CLUSTER = 2 ** CLUSTER_BITS;
/** Bytes of the disk for which one entry of the first table stands. */
const PER_L1_ENTRY = CLUSTER * (CLUSTER / 8);
const BACKING_FORMAT = 0xe2792aca;
const SECTOR = 512;

/**
 * A qcow2 file (version 2, as Folsom's are) of a disk of `size` bytes that is all its base's. It says which format the base
 * has. Layout: header, refcount table, one block of refcounts, first table. Writing these few numbers takes no program,
 * which would have to be confined; a boot waits for it.
 */
export function emptyOverlay(size: number, base: string, baseFormat: string): Buffer {
  const bytes = Math.ceil(size / SECTOR) * SECTOR;
  const entries = Math.ceil(bytes / PER_L1_ENTRY);
  const clusters = 3 + Math.max(1, Math.ceil((entries * 8) / CLUSTER));
  const file = Buffer.alloc(clusters * CLUSTER);
  const name = Buffer.from(base, 'utf8');
  if (name.length > 1023) throw new Error('the path of a base has more than 1023 bytes');
  file.write('QFI\xfb', 0, 'latin1');
  file.writeUInt32BE(2, 4);
  file.writeUInt32BE(CLUSTER_BITS, 20);
  file.writeBigUInt64BE(BigInt(bytes), 24);
  file.writeUInt32BE(entries, 36);
  file.writeBigUInt64BE(BigInt(3 * CLUSTER), 40);
  file.writeBigUInt64BE(BigInt(CLUSTER), 48);
  file.writeUInt32BE(1, 56);
  file.writeUInt32BE(BACKING_FORMAT, 72);
  file.writeUInt32BE(baseFormat.length, 76);
  file.write(baseFormat, 80, 'latin1');
  // Extensions have whole groups of eight bytes, and end with an empty one.
  const nameAt = 80 + Math.ceil(baseFormat.length / 8) * 8 + 8;
  name.copy(file, nameAt);
  file.writeBigUInt64BE(BigInt(nameAt), 8);
  file.writeUInt32BE(name.length, 16);
  file.writeBigUInt64BE(BigInt(2 * CLUSTER), CLUSTER);
  for (let cluster = 0; cluster < clusters; cluster++) file.writeUInt16BE(1, 2 * CLUSTER + cluster * 2);
  return file;
}
