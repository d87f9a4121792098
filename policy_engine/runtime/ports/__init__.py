"""What the runtime asks of the outside world, one port a file. Implemented at floor 5 (`stores`, `audit`, `telemetry`) and
plugged in at `assembly`. Every implementation passes the port's contract suite in `tests/contracts`.

Times are nanoseconds since the epoch, given by the caller: no port reads a clock to decide anything. `blocking` tells whether
a method may wait for a disk or another process, so that async hosts call it in a thread. Whatever a method raises, and an
answer that makes no sense, ends in a refusal.
"""
