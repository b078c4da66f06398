"""Kill a study at random moments until it is done, and compare its table with that of an undisturbed run.

python benchmarks/kill_study.py [--kills 10] [--seed 0] [--out FOLDER] [-- ARGUMENTS OF equitangents study]

The arguments default to `digits --group C4`. The undisturbed run is timed first; the other one is killed with SIGKILL
at moments spread evenly at random over that time, then left to end. Both results.parquet must have one sha256.
"""

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = [sys.executable, "-m", "equitangents", "study"]


def start(arguments: list[str], out: Path) -> subprocess.Popen:
    return subprocess.Popen([*COMMAND, *arguments, "--out", str(out)], stdout=subprocess.DEVNULL)


def finish(arguments: list[str], out: Path) -> float:
    begin = time.perf_counter()
    if start(arguments, out).wait() != 0:
        raise SystemExit("expected the study to end well; it did not.")
    return time.perf_counter() - begin


def digest(out: Path) -> str:
    return hashlib.sha256((out / "results.parquet").read_bytes()).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("arguments", nargs="*", default=["digits", "--group", "C4"])
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp())
    whole, killed = folder / "whole", folder / "killed"

    seconds = finish(given.arguments, whole)
    print(f"undisturbed: {seconds:.0f} s, {digest(whole)}")
    draw, kills = random.Random(given.seed), 0
    while kills < given.kills:
        process = start(given.arguments, killed)
        wait = draw.uniform(0.3, 2 * seconds / given.kills)  # on average they reach the end together
        try:
            process.wait(timeout=wait)
            print(f"  ended before it was killed, after {kills} kills; the table is deleted, to kill what is left")
            (killed / "results.parquet").unlink()
            for piece in draw.sample(sorted((killed / "pieces").glob("*.npz")), 5):
                piece.unlink()
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            kills += 1
            done = len(list((killed / "pieces").glob("*.npz"))) if killed.exists() else 0
            print(f"  killed after {wait:.1f} s, {done} pieces done")
    print(f"resumed: {finish(given.arguments, killed):.0f} s, {digest(killed)}")
    if digest(whole) != digest(killed):
        raise SystemExit("expected the same bytes; they differ.")
    print("the same bytes")


if __name__ == "__main__":
    main()
