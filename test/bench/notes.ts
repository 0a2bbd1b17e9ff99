/**
 * What stands behind a figure that a reader may wonder about, by benchmark: what limits it, and what has been tried. Printed below its
 * table.
 */
export const NOTES: Readonly<Record<string, readonly string[]>> = {
  boot: [
    'A boot is accepted, placed, given an address and built by scores of statements, in transactions and compare-and-sets of their own: what is acknowledged is never lost. In one process they are most of its time; statements run often are built once for each shape (`libs/db/prepared.ts`).',
    'Messages are rows first and are encoded and decoded as over a broker also in one process, so that no two services share memory.',
  ],
  scheduler: [
    'A decision is one transaction of ten statements, a read of the chosen host before it and the removal of its message after it: the placement is a compare-and-set, and the message carries the instance with all that belongs to it.',
    'Hosts are read once a second; of a thousand only the cheapest that passes the filters is asked, as long as one of the cheapest few passes.',
  ],
  image: [
    'On SQLite the bytes of a list are sent again as long as nothing has been committed since they were made (`Database.stamp`). MySQL cannot tell that in one cheap question, so lists are read each time there.',
  ],
  identity: [
    'A first login is one SHA-512 crypt of 40,000 rounds in libcrypt, on the threads of the pool: two cores do about 167 a second, whoever calls it.',
  ],
  object: [
    'What is read whole is verified before its end is sent. One core of the machine that the aims are of makes some 770 MB/s of MD5: 1.4 s of processor for a gigabyte, 1.4 ms for a megabyte, beside the moving of bytes and on other threads, but more than the aims of 1 s and 1.2 ms. In a profile of GET 1 MiB it is 58 % of the object server; copies between socket, slab and page cache are 15 %, of which sendfile(2) would spare a third and leave the reading for the sum.',
    'An upload for several devices of one object server goes there once (`libs/swift/each-replica.ts`) and is digested once; replicas that come one by one, from a proxy of swift, are compared with the first and share its sum (`services/object-server/same-upload.ts`).',
    'A PUT or DELETE of a small object is, for each replica, an inode, up to three new directories, attributes, a name and a sync: more than half of the object server’s processor time is the kernel’s, in calls that no order of ours spares. On XFS and on ext4 with a journal one sync, which those who write at the same time share, makes bytes, attributes and name last; on ext4 without a journal (as on the machine these figures are of) each file is synced before and after it gets its name, and the kernel looks at every inode freed in the last minutes before it takes one, a third of the time where much was deleted.',
    'Tried for uploads and left: the calls of one upload as a job for a thread of its own (a message there and back costs 10 to 23 µs of processor, a hop to the pool of threads 11 to 15: it would spare one of the two hops of a replica; that it takes the calls from the loop, more `workers` do as well); memory that is not shared for bytes on their way through the proxy (copies into shared memory run at 6 instead of 10 GB/s: a tenth of a second for a gigabyte).',
  ],
};
