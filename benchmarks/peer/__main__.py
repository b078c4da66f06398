"""Everything in turns with neural-tangents, one table: `python -m benchmarks.peer --peer PYTHON [--pairs 7]`."""

import argparse
import os
import tempfile

from .. import empirical_ntk_peer, ensemble_prediction_peer, kernels_peer


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peer", description=__doc__)
    parser.add_argument("--peer", default=os.environ.get("EQUITANGENTS_PEER"), help="Python with neural-tangents 0.6.5")
    parser.add_argument("--pairs", type=int, default=7, help="calls on each side (default: 7)")
    options = parser.parse_args()
    if not options.peer:
        parser.error("expected --peer PYTHON or EQUITANGENTS_PEER; neural-tangents 0.6.5, JAX 0.4.25")
    print(kernels_peer.pairs.COLUMNS)
    with tempfile.TemporaryDirectory() as scratch:
        for part in (kernels_peer, ensemble_prediction_peer, empirical_ntk_peer):
            part.table(options.peer, scratch, options.pairs)


if __name__ == "__main__":
    main()
