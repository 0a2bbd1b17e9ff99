import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { HOST_ENV, type RunResult, run } from '@folsom/host';
import type { Project } from './programs.ts';

/** Programs of 2012 take their time to start. */
const TASK_MS = 600_000;
/** Lines of a failure that are told. */
const LAST = 4;
const PROJECTS: readonly Project[] = ['keystone', 'glance', 'nova', 'swift'];
/** What each needs to have before it can be imported. */
const IMPORTS = ['sqlalchemy', 'migrate', 'webob', 'eventlet', 'routes', 'paste', 'kombu', 'lxml', 'MySQLdb'];

/** Of a cloud's object storage. */
export const HASH_SUFFIX = 'drop-in';
/** Swift reads its hash suffix from /etc and nowhere else; it is told here, so that this machine's own stays as it is. */
const WITH_HASH = `import swift.common.utils as utils
utils.HASH_PATH_SUFFIX = '${HASH_SUFFIX}'`;
/** Options of consoles are known once a real driver has been read, and the fake one asks for them all the same. */
const WITH_CONSOLES = `import eventlet
eventlet.monkey_patch()
import nova.vnc`;

/** What has to be said before a program begins, as Python. */
function preamble(project: Project, program: string): string | undefined {
  if (project === 'swift') return WITH_HASH;
  return program === 'nova-compute' ? WITH_CONSOLES : undefined;
}

const beginning = (code: string) =>
  `${code}
import runpy, sys
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name='__main__')`;

/**
 * What has changed below the originals since. Migrations of glance are scripts of several statements, which MySQLdb sends together
 * with a library from 4.1 on, and MariaDB's counts anew from 3. Kombu imports a function that the last Python 2.7 has not.
 */
const SINCE = `import uuid
if not hasattr(uuid, '_uuid_generate_random'):
    uuid._uuid_generate_random = None
try:
    from MySQLdb import _mysql
    _mysql.get_client_info = lambda: '5.5.0'
except ImportError:
    pass
`;

/** The originals as they are on this machine. */
export interface Originals {
  /** Folder of a project's sources. */
  sources(project: Project): string;
  argv(project: Project, program: string, args: readonly string[]): string[];
  /** The whole environment of their programs. */
  env: Record<string, string>;
  /** Runs one of their programs to its end. @throws when it fails */
  run(project: Project, program: string, args: readonly string[]): Promise<RunResult>;
}

/**
 * Looks whether everything is there.
 *
 * @param folder holds `keystone`, `glance`, `nova` (2012.2.4) and `swift` (1.7.4), as their repositories have them
 * @param python of a virtualenv with what their `tools/pip-requires` name, and MySQLdb
 * @param scratch for what their packages say about themselves (paste looks middleware up there)
 * @throws a plain sentence about what is missing
 */
export async function findOriginals(folder: string, python: string, scratch: string): Promise<Originals> {
  for (const project of PROJECTS)
    if (!existsSync(join(folder, project, 'bin'))) throw new Error(`${folder} has no sources of ${project}`);
  if (!existsSync(python)) throw new Error(`there is no ${python}`);
  mkdirSync(scratch, { recursive: true });
  const env = {
    ...HOST_ENV,
    LC_ALL: 'C.UTF-8',
    PYTHONPATH: [...PROJECTS.map(project => join(folder, project)), scratch].join(delimiter),
    PYTHONWARNINGS: 'ignore',
    PYTHONUNBUFFERED: '1',
  };
  writeFileSync(join(scratch, 'sitecustomize.py'), SINCE);
  const tried = await run([python, '-c', `import ${IMPORTS.join(', ')}`], {
    ...{ env, timeoutMs: TASK_MS, allowedCodes: 'any' },
  });
  if (tried.code !== 0) throw new Error(`${python}: ${tried.stderr.trim().split('\n').at(-1)}`);
  const swift = join(folder, 'swift');
  await run([python, join(swift, 'setup.py'), '-q', 'egg_info', '--egg-base', scratch], {
    ...{ env, timeoutMs: TASK_MS, cwd: swift },
  });
  const argv: Originals['argv'] = (project, program, args) => {
    const first = preamble(project, program);
    const words = first === undefined ? [] : ['-c', beginning(first)];
    return [python, ...words, join(folder, project, 'bin', program), ...args];
  };
  return {
    ...{ argv, env },
    sources: project => join(folder, project),
    run: async (project, program, args) => {
      const words = argv(project, program, args);
      const done = await run(words, { env, timeoutMs: TASK_MS, allowedCodes: 'any' });
      if (done.code === 0) return done;
      // What went wrong is the end of what Python says.
      throw new Error(
        `${program} ${args.join(' ')}: ${done.stderr.trim().split('\n').slice(-LAST).join('\n')}`,
      );
    },
  };
}
