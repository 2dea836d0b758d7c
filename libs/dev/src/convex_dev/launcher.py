"""Become another program that does not outlive the supervisor: `launcher.py PARENT SIGNAL UID PROGRAM [ARGUMENT …]`.

Run as `python -I -S` (12 ms). On Linux the kernel sends SIGNAL when the parent dies, kill -9 included; the order
matters, since a change of user forgets the request. Elsewhere the next `convex dev up` ends what was left over.
UID -1 keeps the user.
"""

import ctypes  # now: once the user is changed, Python's own folder may be out of reach
import os
import sys

PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    parent, death_signal, uid = (int(word) for word in arguments[:3])
    program = arguments[3:]
    if uid >= 0:
        os.setgroups([])
        os.setgid(uid)
        os.setuid(uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
        if os.getppid() != parent:
            sys.exit("the supervisor is gone")
    os.execv(program[0], program)  # noqa: S606 - the supervisor's own list, no shell


if __name__ == "__main__":
    main(sys.argv[1:])
