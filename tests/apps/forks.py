"""Starts processes.

/child runs one, /orphan leaves one behind that sleeps, / says whose worker answers.
"""

import os
import subprocess
import sys


def application(environ, start_response):
    what = environ["PATH_INFO"].strip("/")
    if what == "child":
        body = subprocess.run(["echo", "from a child"], stdout=subprocess.PIPE, check=True).stdout
    elif what == "orphan":
        sleeper = subprocess.Popen(["sleep", "600"], close_fds=False)
        body = b"%d\n" % sleeper.pid
    elif what == "fork":
        pid = os.fork()
        if pid == 0:
            os._exit(7)
        _, status = os.waitpid(pid, 0)
        body = b"%d\n" % os.waitstatus_to_exitcode(status)
    elif what == "exit":
        os._exit(9)
    elif what == "sys":
        sys.exit(4)
    else:
        body = b"%d %d\n" % (os.getpid(), os.getppid())
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]
