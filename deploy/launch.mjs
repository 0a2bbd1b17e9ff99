// Starts a program of deploy/programs by name. Every file in deploy/bin is one line that calls this.
// As a whole: by name it would end an old Node before it can say that it is one.
import module from 'node:module';
import { fileURLToPath } from 'node:url';

// File and hashing work runs in libuv's threads; four of them would make parallel syncs wait for each other.
process.env.UV_THREADPOOL_SIZE ??= '16';

const [major] = process.versions.node.split('.').map(Number);

/** @param {string} program file name in deploy/programs, without `.ts` */
export async function launch(program) {
  if (major < 24) {
    console.error(
      `${program}: needs Node 24, this is ${process.versions.node}; run it through node_modules/.bin`,
    );
    process.exit(1);
  }
  // Compiled code is kept between runs: it halves the start-up time.
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/compile', import.meta.url)));
  // Whoever read the output has had enough (`| head`): a service goes on without, a command ends in a moment anyhow.
  process.stdout.on('error', error => {
    if (error.code !== 'EPIPE') throw error;
  });
  try {
    const { main } = await import(`./programs/${program}.ts`);
    process.exitCode = await main(process.argv.slice(2));
  } catch (error) {
    console.error(process.env.FOLSOM_DEBUG ? error : `${program}: ${error?.message ?? error}`);
    // A wrong option is 2, as with the original's programs.
    process.exitCode = /^ERR_PARSE_ARGS/.test(error?.code) ? 2 : 1;
  }
}
