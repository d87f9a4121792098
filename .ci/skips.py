"""What was skipped, read from pytest's JUnit file: `.ci/run` fails when tests skipped for lack of `../shared` that is there,
or of a package that `make test` installs.

`skips.py FILE` exits 1 for such a skip or an unreadable file; `skips.py --summary FILE` prints the counts of the tests.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ET
from pathlib import Path


def main() -> int:
    """Read the file that the arguments name."""
    *options, name = sys.argv[1:]
    try:
        cases = list(ET.parse(name).iter("testcase"))
    except (OSError, ET.ParseError) as fault:
        print(f"{name} cannot be read: {fault}")
        return 1
    skips = [(case, skip) for case in cases for skip in case.findall("skipped")]
    if "--summary" in options:
        bad = sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None)
        print(f"tests: {len(cases) - bad - len(skips)} passed, {bad} failed, {len(skips)} skipped")
        return 0
    present = Path("../shared").is_dir()
    wrong = 0
    for case, skip in skips:
        reason = f"{skip.get('message') or ''} {skip.text or ''}"
        lame = (present and "shared" in reason) or "is not installed" in reason
        wrong += lame
        print(f"{'WRONGLY ' if lame else ''}skipped {case.get('classname')}::{case.get('name')}: {skip.get('message')}")
    print(f"{len(skips)} skipped, {wrong} of them although what they need is there, or should be")
    return 1 if wrong or not cases else 0


if __name__ == "__main__":
    sys.exit(main())
