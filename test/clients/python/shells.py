"""Command lines of 2012 in one process: reads `["program", "argument", ...]` a line, answers `[exit code, stdout, stderr]`."""
import json
import sys
from StringIO import StringIO

import cinderclient.shell
import novaclient.shell

PROGRAMS = {'cinder': cinderclient.shell, 'nova': novaclient.shell}


def run(argv):
    kept = sys.argv, sys.stdout, sys.stderr
    out, err = StringIO(), StringIO()
    sys.argv, sys.stdout, sys.stderr = argv, out, err
    code = 0
    try:
        PROGRAMS[argv[0]].main()
    except SystemExit as end:
        code = end.code or 0
    finally:
        sys.argv, sys.stdout, sys.stderr = kept
    return [code, out.getvalue(), err.getvalue()]


while True:
    line = sys.stdin.readline()
    if not line:
        break
    print(json.dumps(run([word.encode('utf-8') for word in json.loads(line)])))
    sys.stdout.flush()
