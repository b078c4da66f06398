"""Networks of dense layers with a nonlinearity after each but the last: those for which 1/width is expanded."""

from typing import NamedTuple

from jaxtyping import Array

from ..nets import AbstractActivation, AbstractLayer, Dense, Serial


class Mlp(NamedTuple):
    """Dense layers and the nonlinearities between them, one less."""

    dense: tuple[Dense, ...]
    phi: tuple[AbstractActivation, ...]


def as_mlp(net: AbstractLayer) -> Mlp:
    """The layers of `Serial(Dense(n_1), phi, ..., Dense(n_L))`.

    Raises:
        TypeError: any other network.
    """
    layers = net.layers if isinstance(net, Serial) else (net,)
    dense, phi = layers[::2], layers[1::2]
    fits = len(layers) % 2 and all(type(a) is Dense for a in dense) and all(isinstance(a, AbstractActivation) for a in phi)
    if not fits:
        raise TypeError(
            f"expected Serial(Dense, activation, Dense, ..., Dense) with Dense first and last, got {net!r}; "
            "corrections in 1/width are known for these networks."
        )
    return Mlp(dense, phi)


def check_vectors(x: Array) -> None:
    """Raise unless x is a batch of vectors."""
    if x.ndim != 2 or not x.shape[0]:
        raise ValueError(f"expected inputs of shape (samples, features), got {x.shape}; add a batch axis or flatten.")
