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

SHAPES = {"vector": (3, 4), "signal": (3, 5, 2), "image": (2, 5, 4, 2), "masked": (3, 6, 2)}
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
    yield from structures()
    yield from attentions()


def structures():
    """Layers that move, join and leave out sites and branches."""
    head, pooled, flat = ["Dense", 1.0, 0.1], [["GlobalAvgPool"]], [["Flatten"]]
    for kind, window, other, steps, ones in (
        ("signal", [3], [2], [2], [1]),
        ("image", [3, 2], [2, 2], [2, 1], [1, 1]),
    ):
        conv = ["Conv", other, ones, "SAME", 1.3, 0.2]
        for padding in ("SAME", "VALID"):
            for top in (pooled, flat):
                moved = ["ConvTranspose", window, steps, padding, 1.2, 0.3]
                yield kind, ["Serial", conv, ["Relu"], moved, ["Erf"], *top, head]
        for padding in ("SAME", "VALID", "CIRCULAR"):
            local = ["ConvLocal", other, ones, padding, 1.2, 0.3]
            yield kind, ["Serial", conv, ["Relu"], local, ["Erf"], *pooled, head]
            sums = ["SumPool", window, steps, padding]
            yield kind, ["Serial", conv, ["Relu"], sums, head, ["Relu"], ["GlobalSumPool"], head]
        yield kind, ["Serial", ["ConvLocal", window, steps, "SAME", 1.2, 0.3], ["Relu"], *flat, head]
        for top in (pooled, flat):
            edges = ["AvgPool", window, ones, "SAME", True]
            yield kind, ["Serial", conv, ["Relu"], edges, conv, ["Erf"], *top, head]
        for index in ([[1, None, 2]], [-1]):
            yield kind, ["Serial", conv, ["Relu"], ["Slice", *index], head, ["Erf"], ["GlobalAvgPool"], head]
        sites = SHAPES[kind][1:-1]
        for axis, size in enumerate(sites):
            row = [[round(0.3 * (i + 1) * (-1) ** i, 1) for i in range(size)]]
            yield kind, ["Serial", conv, ["Relu"], ["SiteMap", row, axis], head, ["Relu"], *pooled, head]
            ring = [[1.0 if abs(i - j) in (0, 1, size - 1) else 0.0 for i in range(size)] for j in range(size)]
            ring[0][1] = 0.5  # not symmetric
            yield kind, ["Serial", conv, ["Relu"], ["Graph", ring, axis], head, ["Relu"], *pooled, head]
        for method, new in (("linear", [3] * len(sites)), ("nearest", [6] * len(sites))):
            yield kind, ["Serial", conv, ["Relu"], ["Resize", list(sites), new, method], conv, ["Erf"], *pooled, head]
        branches = [["Serial", ["Relu"], conv], conv, ["Serial", ["Erf"], head]]
        for join in ("Concatenate", "Product"):
            yield kind, ["Serial", conv, [join, *branches], conv, ["Relu"], *pooled, head]
    for join in ("Concatenate", "Product"):
        yield "vector", ["Serial", head, [join, ["Serial", ["Relu"], head], ["Dense", 1.3, 0.2]], head, ["Erf"], head]
    for rate in (0.2, 0.5):
        yield "vector", ["Serial", *2 * [["Dense", 1.3, 0.2], ["Relu"], ["Dropout", rate]], head]
        yield "signal", ["Serial", ["Conv", [2], [1], "SAME", 1.3, 0.2], ["Erf"], ["Dropout", rate], *flat, head]
    conv = ["Conv", [3], [1], "SAME", 1.3, 0.2]
    for layers in (
        [conv, ["Relu"], ["GlobalAvgPool"]],
        [conv, ["Erf"], conv, ["Relu"], ["Flatten"]],
        [conv, ["Residual", ["Relu"], conv], ["GlobalSumPool"]],
        [conv, ["Relu"], ["AvgPool", [2], [1], "SAME"], conv, ["Erf"], ["GlobalAvgPool"]],
    ):
        yield "masked", ["Serial", ["Masked", 9.0, *layers], head]


def attentions():
    """Scores; whether queries are tied to keys; how positions enter; how strongly."""
    top = [["Relu"], ["GlobalAvgPool"], ["Dense", 1.0, 0.1]]
    start = [["Dense", 1.2, 0.3], ["Relu"]]
    for scores in ("softmax", "identity", "relu", "abs"):
        yield "signal", ["Serial", *start, ["Attention", scores, True, 1.4, 0.2], *top]
    yield "signal", ["Serial", *start, ["Attention", "identity", False, 1.4, 0.2], *top]
    for kind in ("sum", "sum to values", "concatenate"):
        for decay in (False, True):
            positions = [kind, 0.7, decay]
            yield "signal", ["Serial", *start, ["Attention", "softmax", True, 1.4, 0.2, *positions], *top]
    for kind in ("sum", "sum to values"):
        yield "image", ["Serial", *start, ["Attention", "identity", False, 1.2, 0.2, kind, 0.8, True], *top]
    for scores in ("softmax", "relu"):
        inside = [*start, ["Attention", scores, True, 1.4, 0.2], ["Erf"], ["GlobalAvgPool"]]
        yield "masked", ["Serial", ["Masked", 9.0, *inside], ["Dense", 1.0, 0.1]]
    inside = [*start, ["Attention", "softmax", True, 1.4, 0.2, "sum", 0.7, True], ["GlobalAvgPool"]]
    yield "masked", ["Serial", ["Masked", 9.0, *inside], ["Dense", 1.0, 0.1]]
    inside = [*start, ["Attention", "identity", False, 1.4, 0.2], ["Flatten"]]
    yield "masked", ["Serial", ["Masked", 9.0, *inside], ["Dense", 1.0, 0.1]]
    yield "image", ["Serial", *start, ["Attention", "softmax", True, 1.2, 0.2], *top]
    yield "image", ["Serial", *start, ["Attention", "identity", False, 1.2, 0.2], *top]


def apart():
    """What the peer computes wrongly: it turns the window of a local layer behind a convolution."""
    convs = [["Conv", [2, 2], [1, 1], "SAME", 1.0, 0.0], ["ConvLocal", [3, 1], [1, 1], "VALID", 1.0, 0.0]]
    yield "image", ["Serial", *convs, ["Relu"], ["GlobalAvgPool"], ["Dense", 1.0, 0.0]]


def inputs(kind):
    """Fixed numbers, the last example close to the first."""
    shape = SHAPES[kind]
    x = np.round(np.sin(1.7 * np.arange(np.prod(shape)) ** 1.3).reshape(shape), 3)
    x[-1] = x[0] + 0.1 * x[-1]
    if kind == "masked":
        x[0, -2:] = x[1, -1:] = 9.0
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
    if name in ("Conv", "ConvTranspose", "ConvLocal"):
        window, strides, padding, w, b = rest
        return getattr(stax, name)(1, tuple(window), tuple(strides), padding, w, b)
    if name in ("AvgPool", "SumPool"):
        window, strides, *others = rest
        return getattr(stax, name)(tuple(window), tuple(strides), *others)
    if name in ("Concatenate", "Product"):
        join = stax.FanInConcat() if name == "Concatenate" else stax.FanInProd()
        return stax.serial(stax.FanOut(len(rest)), stax.parallel(*map(peer, rest)), join)
    if name == "Masked":
        return stax.serial(*map(peer, rest[1:]))
    if name == "Dropout":
        return stax.Dropout(1 - rest[0])  # theirs is the rate of what is kept
    if name == "Slice":
        return stax.Index((slice(None), *(i if isinstance(i, int) else slice(*i) for i in rest)))
    if name == "SiteMap":  # of one row, as others change the order of axes
        (row,), axis = rest
        return stax.DotGeneral(rhs=np.asarray(row), dimension_numbers=(((1 + axis,), (0,)), ((), ())))
    if name == "Graph":
        return stax.Aggregate(1 + rest[1])
    if name == "Resize":
        return stax.ImageResize((-1, *rest[1], -1), rest[2])
    if name == "Attention":
        scores, tied, w, b, kind, size, decay = [*rest, "none", 0.0, False][:7]
        return stax.GlobalSelfAttention(
            *(1, 1, 1, 1, tied),
            W_query_std=w,
            W_value_std=w,
            b_std=b,
            attention_mechanism=scores.upper(),
            pos_emb_type={"none": "NONE", "concatenate": "CONCAT"}.get(kind, "SUM"),
            pos_emb_p_norm=2,
            pos_emb_decay_fn=(lambda d: jax.numpy.exp(-0.3 * d)) if decay else None,
            W_pos_emb_std=size,
            val_pos_emb=kind == "sum to values",
        )
    if name == "LayerNorm":
        return stax.LayerNorm(eps=1e-12)
    if name == "Gaussian":
        return stax.Gaussian(rest[0], -rest[1])
    return getattr(stax, {"AbRelu": "ABRelu"}.get(name, name))(*rest)


def find(net, name):
    """The arguments of the first layer of this name in an architecture; None if there is none."""
    if net[0] == name:
        return net[1:]
    inside = (find(part, name) for part in net[1:] if isinstance(part, list) and part)
    return next((found for found in inside if found is not None), None)


def kernels(net, x):
    """NNGP and NTK of an architecture; graphs and masks are arguments of the peer's functions."""
    extra = {}
    if graph := find(net, "Graph"):
        pattern = np.broadcast_to(np.asarray(graph[0]).T, (len(x), *np.shape(graph[0])))
        extra["pattern"] = (pattern, pattern)
    if masked := find(net, "Masked"):
        extra["mask_constant"] = masked[0]
    return peer(net)[2](x, None, ("nngp", "ntk"), **extra)


def upper(k):
    """The upper triangle, with more digits than the test looks at; NaN becomes null."""
    k = np.asarray(k)
    return [None if np.isnan(v) else float(f"{v:.13g}") for v in k[np.triu_indices(len(k))]]


def main(path):
    x = {kind: inputs(kind) for kind in SHAPES}

    def row(kind, net):
        found = kernels(net, x[kind])
        return json.dumps({"input": kind, "net": net, "nngp": upper(found.nngp), "ntk": upper(found.ntk)})

    rows, wrong = ([row(*given) for given in source()] for source in (architectures, apart))
    arrays = json.dumps({kind: a.tolist() for kind, a in x.items()})
    with open(path, "w", encoding="utf-8") as file:
        file.write(f'{{"by": "neural-tangents 0.6.5",\n"inputs": {arrays},\n"rows": [\n')
        file.write(",\n".join(rows) + '\n],\n"apart": [\n' + ",\n".join(wrong) + "\n]}\n")
    print(f"{len(rows)} architectures")


if __name__ == "__main__":
    main(*sys.argv[1:])
