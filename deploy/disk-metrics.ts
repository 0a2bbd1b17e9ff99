import { statfs } from 'node:fs/promises';
import { gauge, type Metrics } from '@folsom/core';

export const diskMetrics = {
  disk: gauge(
    'folsom_disk_bytes',
    'Disks that a process writes to, by what it keeps there: their size and what is free.',
    ['disk', 'state'],
  ),
};

/** Tells whoever looks how full the disks of these directories are, by what is kept there. */
export function watchDisks(metrics: Metrics, directories: Readonly<Record<string, string>>): void {
  for (const [disk, directory] of Object.entries(directories))
    metrics.read(diskMetrics.disk, async () => {
      const { bsize, blocks, bavail } = await statfs(directory);
      return [
        [[disk, 'size'], bsize * blocks],
        [[disk, 'free'], bsize * bavail],
      ];
    });
}
