"""Kernels of many architectures by neural-tangents 0.6.5 in float64, for tests/kernels/test_peer_values.py.

In an environment of its own (jax==0.4.25 jaxlib==0.4.25 numpy==1.26.4 scipy==1.12.0 frozendict, and neural-tangents
without its dependencies):

    python benchmarks/peer/values.py tests/kernels/peer_values.json

An architecture is plain data, `[name, *arguments]`; the file holds it beside its values, so that it is written once.
"""

import json
import sys
import types

sys.modules["neural_tangents.experimental"] = types.ModuleType("unused")  # its bridge to TensorFlow

import jax  # noqa: E402
import numpy as np  # noqa: E402

jax.config.update("jax_enable_x64", True)

from neural_tangents import stax  # noqa: E402

SHAPES = {"vector": (3, 4), "signal": (3, 5, 2), "image": (2, 5, 4, 2)}
SCALES = [(1.0, 0.0), (1.4, 0.3), (0.7, 0.5)]  # sigma_w, sigma_b
NONLINEARITIES = [
    ["Identity"],
    ["Relu"],
    ["LeakyRelu", 0.3],
    ["Abs"],
    ["AbRelu", -0.4, 1.3],
    ["Erf"],
    ["Erf", 1.5, 0.7, 0.4],
    ["Erf", 0.5, 0.4163099, 0.5],
    ["Gelu"],
    ["Sin"],
    ["Sin", 1.2, 0.8, 0.5],
    ["Cos"],
    ["Cos", 0.7, 1.3, -0.2],
    ["Rbf", 0.6],
    ["Sign"],
    ["Exp", 0.8, 0.4],
    ["Gaussian", 1.2, 0.7],
    ["Gabor"],
    ["ExpNormalized", 0.7, -0.5],
    ["Monomial", 0],
    ["Monomial", 1],
    ["Monomial", 2],
    ["Monomial", 3],
    ["Monomial", 4],
    ["Monomial", 5],
    ["Polynomial", [0.3, 1.0, -0.5, 0.2]],
    ["RectifiedMonomial", 0],
    ["RectifiedMonomial", 1],
    ["RectifiedMonomial", 2],
    ["RectifiedMonomial", 3],
]


def architectures():
    """Pairs (kind of input, architecture)."""
    for phi in NONLINEARITIES:
        for w, b in SCALES[:2] if phi[0] in ("Monomial", "RectifiedMonomial") else SCALES:
            yield "vector", ["Serial", ["Dense", w, b], phi, ["Dense", w, b]]
        if phi[0] not in ("Monomial", "RectifiedMonomial"):
            yield "vector", ["Serial", *2 * [["Dense", 0.9, 0.2], phi], ["Dense", 1.0, 0.0]]
    for depth in (3, 6):
        for phi, w in ((["Relu"], 1.4), (["Erf"], 1.6), (["Gelu"], 1.5)):
            yield "vector", ["Serial", *depth * [["Dense", w, 0.1], phi], ["Dense", w, 0.1]]
    for degree in range(5):
        yield "vector", ["Serial", ["Dense", 1.3, 0.4], ["LayerNorm"], ["Hermite", degree], ["Dense", 1.1, 0.2]]
    for phi in (["Relu"], ["Erf"], ["Gabor"]):
        yield "vector", ["Serial", ["Dense", 1.3, 0.4], ["LayerNorm"], phi, ["Dense", 1.1, 0.2]]
        block = ["Residual", phi, ["Dense", 0.9, 0.3]]
        yield "vector", ["Serial", ["Dense", 1.2, 0.4], block, block, phi, ["Dense", 1.0, 0.0]]
        branches = [["Serial", ["Dense", 1.0, 0.3], phi, ["Dense", 1.2, 0.0]], ["Dense", 0.7, 0.2]]
        yield "vector", ["Serial", ["Parallel", *branches], phi, ["Dense", 1.0, 0.1]]
    tops = [[["Flatten"]], [["GlobalAvgPool"]]]
    for kind, windows in (("signal", [[3], [2]]), ("image", [[3, 3], [2, 3]])):
        ones, twos = [1] * len(windows[0]), [2] * len(windows[0])
        for padding in ("SAME", "VALID", "CIRCULAR"):
            for window in windows:
                for top in tops:
                    conv = ["Conv", window, ones, padding, 1.3, 0.2]
                    yield kind, ["Serial", conv, ["Relu"], *top, ["Dense", 1.0, 0.1]]
                strided = ["Conv", window, twos, padding, 1.2, 0.1]
                yield kind, ["Serial", strided, ["Erf"], ["Flatten"], ["Dense", 1.1, 0.0]]
            deep = [["Conv", windows[0], ones, "SAME", 1.3, 0.2], ["Relu"]]
            pool = ["AvgPool", windows[1], ones, padding]
            yield kind, ["Serial", *deep, pool, *deep, ["Flatten"], ["Dense", 1.0, 0.0]]
            yield kind, ["Serial", *deep, *deep, ["AvgPool", twos, twos, padding], ["Flatten"], ["Dense", 1.0, 0.0]]
        for phi in (["Relu"], ["Gelu"], ["Sin"]):
            block = ["Residual", phi, ["Conv", windows[0], ones, "SAME", 0.8, 0.3]]
            start = ["Conv", windows[0], ones, "SAME", 1.2, 0.0]
            yield kind, ["Serial", start, block, phi, ["GlobalAvgPool"], ["Dense", 1.0, 0.0]]
            yield kind, ["Serial", start, ["LayerNorm"], phi, ["Flatten"], ["Dense", 1.0, 0.2]]


def inputs(kind):
    """Fixed numbers, the last example close to the first."""
    shape = SHAPES[kind]
    x = np.round(np.sin(1.7 * np.arange(np.prod(shape)) ** 1.3).reshape(shape), 3)
    x[-1] = x[0] + 0.1 * x[-1]
    return x


def peer(net):
    """The layer of neural-tangents."""
    name, *rest = net
    if name == "Serial":
        return stax.serial(*map(peer, rest))
    if name == "Residual":
        return stax.serial(
            stax.FanOut(2), stax.parallel(stax.Identity(), stax.serial(*map(peer, rest))), stax.FanInSum()
        )
    if name == "Parallel":
        return stax.serial(stax.FanOut(len(rest)), stax.parallel(*map(peer, rest)), stax.FanInSum())
    if name == "Dense":
        return stax.Dense(1, *rest)
    if name == "Conv":
        window, strides, padding, w, b = rest
        return stax.Conv(1, tuple(window), tuple(strides), padding, w, b)
    if name in ("AvgPool", "SumPool"):
        window, strides, padding = rest
        return getattr(stax, name)(tuple(window), tuple(strides), padding)
    if name == "LayerNorm":
        return stax.LayerNorm(eps=1e-12)
    if name == "Gaussian":
        return stax.Gaussian(rest[0], -rest[1])
    return getattr(stax, {"AbRelu": "ABRelu"}.get(name, name))(*rest)


def upper(k):
    """The upper triangle, with more digits than the test looks at; NaN becomes null."""
    k = np.asarray(k)
    return [None if np.isnan(v) else float(f"{v:.13g}") for v in k[np.triu_indices(len(k))]]


def main(path):
    x = {kind: inputs(kind) for kind in SHAPES}
    rows = []
    for kind, net in architectures():
        found = peer(net)[2](x[kind], None, ("nngp", "ntk"))
        rows.append({"input": kind, "net": net, "nngp": upper(found.nngp), "ntk": upper(found.ntk)})
    lines = ",\n".join(json.dumps(row) for row in rows)
    arrays = json.dumps({kind: a.tolist() for kind, a in x.items()})
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{"by": "neural-tangents 0.6.5",\n"inputs": {arrays},\n"rows": [\n{lines}\n]}}\n')
    print(f"{len(rows)} architectures")


if __name__ == "__main__":
    main(*sys.argv[1:])
