"""Deviations from equivariance of an ensemble, beside the law that the kernel foretells."""

import numpy as np

from . import measures


def add_rows(rows: dict[str, list], outputs: np.ndarray, found: measures.Law, draws: int, seed: int) -> dict[str, list]:
    """What is measured on one set of inputs, appended to `rows`; outputs (members, elements, items, outputs).

    - `square`: mean square deviation of ensembles of 1, 2, 4, ... members.
    - `band`: where 95 % of such measurements lie if members are independent and Gaussian, by the kernel's law scaled
      to the measured variance of one member.
    - `law`: floor and variance by the kernel.
    - `found`: variance of a member, its standard error, the square that is left of infinitely many, its z.
    - `slope`: of log deviation against log members, and its band.
    """
    counts = measures.sizes(len(outputs))
    deviations = measures.off_orbit(outputs.astype(np.float64))
    square = np.array([measures.mean_square(measures.blocks(deviations, m)).mean() for m in counts])
    variance, error = measures.member_variance(outputs)
    drawn = found._replace(values=found.values * variance / found.variance).band(len(outputs), draws, seed)
    slopes = np.polyfit(np.log(counts), np.log(np.sqrt(np.column_stack([square, drawn.T]))), 1)[0]
    new = {
        "square": square,
        "band": np.percentile(drawn, [2.5, 97.5], axis=0),
        "law": [found.floor, found.variance],
        "found": [variance, error, *measures.infinite_deviation(outputs)],
        "slope": [slopes[0], *np.percentile(slopes[1:], [2.5, 97.5])],
    }
    for name, value in new.items():
        rows.setdefault(name, []).append(value)
    return rows
