"""`make check-access`: every route × every method × every caller, one line for each that is wrong."""

import sys
import time
from collections import Counter

from controlplane.bootstrap import configure_logging
from controlplane.settings import Settings
from tests.access.matrix import cells, missing
from tests.access.place import place


def main() -> int:
    """Try all there is; return 1 if anything is wrong."""
    began, counted, wrong = time.monotonic(), Counter[str](), 0
    configure_logging(Settings(log_level="error"))
    with place() as here:
        for what in missing(here.http.app.url_map.iter_rules()):
            wrong += 1
            print(what, flush=True)
        for cell in cells(here):
            counted[cell.became] += 1
            if cell.wrong:
                wrong += 1
                print(cell.wrong, flush=True)
    print("access: " + ", ".join(f"{number} {became}" for became, number in counted.most_common()))
    print(f"access: {time.monotonic() - began:.0f} seconds")
    print(f"access: {counted.total()} cells, {wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
