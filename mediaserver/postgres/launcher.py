"""A small program that turns into PostgreSQL: it enters the folder, becomes the user, ties its life to its parent.

Run as `python -I -S launcher.py UID GID FOLDER SIGNAL PARENT PROGRAM ARGUMENT...`; it imports nothing of this project.
A program of its own rather than a function between fork and exec: that would run in a copy of a process with threads.
"""

from __future__ import annotations

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
"""prctl(2)"""


def main() -> None:
    """Become PostgreSQL."""
    uid, gid, folder, death_signal, parent, *command = sys.argv[1:]
    # Entered before the user is left behind: that of PostgreSQL may not be let into the folders above it.
    os.chdir(folder)
    if os.geteuid() == 0:
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    os.umask(0o077)
    # After the change of user, which forgets it. The kernel sends the signal however the parent ends.
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, int(death_signal), 0, 0, 0):
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != int(parent):
        sys.exit("the server has gone")
    os.execv(command[0], command)  # noqa: S606 it is the point


if __name__ == "__main__":
    main()
