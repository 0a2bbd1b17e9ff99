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
    'What is read whole is verified before its end is sent. One core of the machine that the aims are of makes some 770 MB/s of MD5: 1.4 s of processor for a gigabyte, 1.4 ms for a megabyte, beside the moving of bytes and on other threads, but more than the aims of 1 s and 1.2 ms.',
    'Every replica of an upload is digested where it is stored; those that come to the same process are compared with the first and share its sum (`services/object-server/same-upload.ts`).',
  ],
};
