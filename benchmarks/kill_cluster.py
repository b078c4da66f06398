"""Kill the workers, the scheduler and the driver of a Dask cluster while it computes a Gram matrix.

python benchmarks/kill_cluster.py [--kills 20] [--workers 2] [--seed 0] [--out FOLDER] [-- ARGUMENTS]

A first run, in one process and undisturbed, gives the bits that are expected. Then a scheduler, workers and a driver
run as processes of their own on 127.0.0.1, and are killed with SIGKILL: a worker at each of `--kills` random numbers of
finished tiles, the scheduler once and the driver once; each is started again, as a service manager would. Both matrices
must have one sha256. The arguments are those of `equitangents kernel`, by default a convolutional network on 600 of the
digits, some minutes.
"""

import argparse
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from equitangents.scale import GramStore

CONV = "Conv(1, (3, 3), sigma_w=1.4142135623730951), Relu()"
NET = f"Serial({', '.join([CONV] * 2)}, GlobalAvgPool(), Dense(1))"
ARGUMENTS = ["digits", "--net", NET, "--limit", "600", "--tile", "30"]


class Cluster:
    """A scheduler, workers and a driver as processes, each started again when it is found dead."""

    def __init__(self, workers: int, arguments: list[str], out: Path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.out, address = out, f"tcp://127.0.0.1:{port}"
        dask = [sys.executable, "-m", "dask"]
        worker = [*dask, "worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "20"]
        self.commands = {f"worker {i}": [*worker, "--local-directory", tempfile.gettempdir()] for i in range(workers)}
        self.commands["scheduler"] = [*dask, "scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"]
        kernel = [sys.executable, "-m", "equitangents", "kernel", *arguments, "--out", str(out)]
        self.commands["driver"] = [*kernel, "--scheduler", address]
        self.log = open(out.parent / "cluster.log", "ab")  # noqa: SIM115
        self.running = {name: self._start(name) for name in sorted(self.commands)}

    def _start(self, name: str) -> subprocess.Popen:
        return subprocess.Popen(self.commands[name], stdout=self.log, stderr=self.log)

    def kill(self, name: str) -> None:
        self.running[name].send_signal(signal.SIGKILL)
        self.running[name].wait()
        print(f"  killed the {name} with {self.done()} tiles done", flush=True)

    def mend(self) -> bool:
        """Start again what is dead; True when the driver ended well."""
        for name, process in self.running.items():
            code = process.poll()
            if name == "driver" and code == 0:
                return True
            if code is not None:
                if name == "driver" and code != -signal.SIGKILL:
                    raise SystemExit(f"expected the driver to go on, it ended with {code}; see {self.log.name}")
                self.running[name] = self._start(name)
        return False

    def done(self) -> int:
        return sum(1 for path in self.out.glob("*.zarr/c/*/*") if path.name.isdigit() and "x.zarr" not in path.parts)

    def stop(self) -> None:
        for process in self.running.values():
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("arguments", nargs="*", default=ARGUMENTS)
    given = parser.parse_args()
    folder = given.out or Path(tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    begin = time.perf_counter()
    command = [sys.executable, "-m", "equitangents", "kernel", *given.arguments, "--out", str(folder / "whole")]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    expected = GramStore(folder / "whole").matrix()
    total = len(expected.upper())
    print(f"undisturbed: {time.perf_counter() - begin:.0f} s, {total} tiles, {expected.digest()}", flush=True)

    draw, begin = random.Random(given.seed), time.perf_counter()
    names = [f"worker {draw.randrange(given.workers)}" for _ in range(given.kills)] + ["scheduler", "driver"]
    moments = sorted((draw.uniform(0.02, 0.95) * total, name) for name in names)
    cluster = Cluster(given.workers, given.arguments, folder / "killed")
    try:
        while not cluster.mend():
            while moments and cluster.done() >= moments[0][0]:
                time.sleep(draw.uniform(0, 0.5))
                cluster.kill(moments.pop(0)[1])
                cluster.mend()
            time.sleep(0.1)
    finally:
        cluster.stop()
    if moments:
        raise SystemExit(f"expected all kills to happen, {len(moments)} are left; take more or slower tiles")
    found = GramStore(folder / "killed").matrix()
    took = time.perf_counter() - begin
    print(f"killed {given.kills} workers, the scheduler, the driver: {took:.0f} s, {found.digest()}")
    if found.digest() != expected.digest():
        raise SystemExit("expected the same bits; they differ.")
    print("the same bits")


if __name__ == "__main__":
    main()
