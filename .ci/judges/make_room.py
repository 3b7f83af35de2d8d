"""Turn page cache into free memory.

    make_room.py MEGABYTES

MindSpore 2.10 refuses a checkpoint larger than the *free* pages of the machine, and counts those of the
page cache, where a file just written is, as used. Touching memory and giving it back frees them.
"""

import os
import sys


def make_room(size):
    """Touch `size` bytes, unless as many are free or the machine has not got them."""
    page = os.sysconf("SC_PAGE_SIZE")
    free = os.sysconf("SC_AVPHYS_PAGES") * page
    if free < size < available():
        bytearray(size)[::page] = b"\1" * -(-size // page)


def available():
    """What the kernel could give to a process, page cache included."""
    with open("/proc/meminfo") as file:
        for line in file:
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return 0


if __name__ == "__main__":
    make_room(int(sys.argv[1]) << 20)
