"""Kernels of pooled group convolutions, turn by turn and with all blocks: `python -m benchmarks.group_kernel`.

NNGP and NTK in float64 of Lift, Relu, GroupConv, Relu, GroupPool, Dense, windows of 3 x 3, each in a program of its
own: processor seconds of the fastest of a few calls after the first, which compiles, and the most megabytes beyond
those before the call. One pair is the least that either way can hold; of more pairs the driver takes a few at once.
`--large`: one call for all pairs of 100 images of 28 x 28 with 100 others, and the peak of the whole program.
"""

import argparse
import json
import resource
import subprocess
import sys
import time

from .peer.pairs import _settled, _status

CASES = {  # group, size, images on each side, calls
    "p4, 16 x 16, one pair": ("C4", 16, 1, 5),
    "p4, 16 x 16, 8 x 8 pairs": ("C4", 16, 8, 3),
    "p4m, 16 x 16, one pair": ("D4", 16, 1, 5),
    "p4m, 16 x 16, 4 x 4 pairs": ("D4", 16, 4, 3),
}
LARGE = ("C4", 28, 100, 0)


def measure(whole: bool, group: str, size: int, n: int, calls: int) -> dict:
    import jax

    jax.config.update("jax_enable_x64", True)
    from equitangents import Dense, Relu, Serial, nngp_and_ntk
    from equitangents.equivariant import GroupConv, GroupPool, Lift

    layer = {"group": group, "width": 1, "window": 3, "negative_control": whole}
    net = Serial(Lift(**layer), Relu(), GroupConv(**layer), Relu(), GroupPool(), Dense(1))
    x1, x2 = jax.random.normal(jax.random.key(0), (2, n, size, size, 1))
    cpu = time.process_time()
    out = jax.block_until_ready(nngp_and_ntk(net, x1, x2))
    seconds, held = [], [0.0]
    first = time.process_time() - cpu
    for _ in range(calls):
        before, cpu = _settled(), time.process_time()
        jax.block_until_ready(nngp_and_ntk(net, x1, x2))
        seconds.append(time.process_time() - cpu)
        held.append((_status("VmHWM") - before) / 1024)
    return {
        "seconds": min(seconds, default=first),
        "held": max(held),
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sums": [float(k.sum()) for k in out],
    }


def run(whole: bool, case: tuple) -> dict:
    command = [sys.executable, "-m", "benchmarks.group_kernel", "--serve", json.dumps([whole, *case])]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--large", action="store_true", help="only 100 x 100 pairs of 28 x 28; many minutes")
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        print(json.dumps(measure(*json.loads(given.serve))))
        return
    if given.large:
        one = run(False, LARGE)
        print(f"p4, 28 x 28, 100 x 100 pairs: {one['seconds']:.0f} CPU-s, peak {one['peak']:.0f} MB")
        return
    print("| case | CPU s, turn by turn | all blocks | factor | MB, turn by turn | all blocks | factor |")
    print("| --- | --- | --- | --- | --- | --- | --- |")
    for name, case in CASES.items():
        one, all_blocks = run(False, case), run(True, case)
        apart = max(abs(a / b - 1) for a, b in zip(one["sums"], all_blocks["sums"], strict=True))
        assert apart < 1e-12, f"{name}: sums of the kernels differ by {apart:.1e}"
        cells = []
        for key, digits in (("seconds", 4), ("held", 1)):
            a, b = one[key], all_blocks[key]
            cells += [f"{a:.{digits}f}", f"{b:.{digits}f}", f"{b / max(a, 1e-9):.1f}"]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
