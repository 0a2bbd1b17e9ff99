// bindings.mjs - the rules of comparison, and which target value stands for which recorded one.
import crypto from 'node:crypto';
import { TOKENS } from './kinds.mjs';

// --- default rules (a directory's _setup.json may add to each list) ---------------------------------------------
export const RULES = {
  /** headers compared when the recording has them; anything else is ignored */
  headers:
    /^(content-type|location|vary|www-authenticate|etag|last-modified|content-range|accept-ranges|allow|retry-after|accept-patch|content-encoding|content-disposition|x-.*|access-control-.*)$/i,
  /** lists without an order of their own (path without indexes) */
  unordered: [
    /(^|\.)(tenants|users|roles|services|endpoints|serviceCatalog|credentials|extensions(\.values)?|revoked|OS-KSADM:services|OS-STATS:stats)(\.\w[\w:]*)?\[\]$/,
    /access\.user\.role\[\]$/,
    /(security_groups|security_group|metadata\.roles|networks|hypervisors|hosts|tags|cached_images|queued_images)(\.\w+)?\[\]$/,
  ],
  /** keys whose value the server invents: only type and length count, and the value is bound */
  generated: /^(adminPass|admin_pass|password|secret|access|private_key|reservation_id|hostId)$/i,
  /** keys that depend on the machine or the moment: only the type counts */
  volatile:
    /^(uptime|current_workload|load_average|time_diff|retry-after|x-put-timestamp|x-timestamp|cpu_info)$/i,
  /** digests of content: never taken for an id */
  digest: /^(etag|checksum|hash|x-image-meta-checksum|content-md5)$/i,
  /** states an asynchronous operation passes through: if recorded, any later state of the target will do */
  passing:
    /^(building|BUILD|REBOOT|HARD_REBOOT|RESIZE|VERIFY_RESIZE|REBUILD|MIGRATING|PASSWORD|saving|queued|creating|deleting|attaching|detaching|SAVING|QUEUED)$/,
};

/** What is known so far about the correspondence recorded value -> target value. */
export class Bindings {
  map = new Map(); // opaque strings
  back = new Map(); // the inverse, to notice one target value standing for two recorded ones
  ints = new Map(); // 'collection:17' -> 23, only where they differ
  times = new Map(); // time stamps, for If-Modified-Since and the like
  clock = { start: Infinity, min: Infinity, max: -Infinity }; // recorded start; range of (target time - recorded time) so far
  created = new Map(); // when an id, recorded or the target's, came to be
  secrets = new Map(); // recorded EC2 secret -> target secret
  bind(a, b) {
    this.map.set(a, b);
    if (!a.startsWith('setup-')) this.back.set(b, a); // such names stand for nothing recorded
    const md5 = s => crypto.createHash('md5').update(s).digest('hex'); // a PKI token is also known by its md5
    if (a.length > 64) this.map.set(md5(a), md5(b));
  }
  tick(recorded, target) {
    const c = this.clock;
    c.start = Math.min(c.start, recorded);
    c.min = Math.min(c.min, target - recorded);
    c.max = Math.max(c.max, target - recorded);
  }
  /** Replaces every bound value in a text of a recorded request. */
  substitute(text) {
    if (!text) return text;
    let out = text.replace(TOKENS, v => this.map.get(v) ?? v);
    for (const [a, b] of this.map)
      if (a !== b && a.length >= 6 && a.search(TOKENS) !== 0 && out.includes(a)) out = out.split(a).join(b);
    return out;
  }
}
