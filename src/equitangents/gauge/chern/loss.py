"""What a network that learns Chern numbers minimises."""

import jax.numpy as jnp
from jaxtyping import Array, Float


def chern_loss(
    outputs: Float[Array, "batch *sites"], labels: Float[Array, " batch"], spread: float = 0.5, weight: float = 1.0
) -> Float[Array, ""]:
    r"""$\langle |\sum_k y(k) - C| \rangle + w \langle \max(\delta - \mathrm{std}_k\, y(k), 0) \rangle$.

    The second term keeps the outputs from collapsing to 0 where all labels are 0. (The paper prints
    $|\max(\mathrm{std}, \delta) - \delta|$, which would punish spread; its code has what stands here.)

    Args:
        outputs: y, one number at each site.
        labels: C.
        spread: delta; 0 leaves the second term out.
        weight: w, 1 in the paper. Errors of size e at n sites add to about $0.8 \sqrt{n} e$ in the first term: where
            all labels are 0 and $w < 0.8 \sqrt{n} e / \mathrm{std}\, y$, outputs that shrink lower the loss, and the
            network must find the fluxes before it goes to 0. From $w = \sqrt{n}$ on there is no such trap.

    References:
        Huang et al. (2025), arXiv:2502.15376, section 5.
    """
    flat = outputs.reshape(len(outputs), -1)
    wrong = jnp.abs(jnp.sum(flat, axis=1) - labels)
    if spread == 0:
        return jnp.mean(wrong)
    centred = flat - jnp.mean(flat, axis=1, keepdims=True)
    variance = jnp.sum(centred**2, axis=1) / (flat.shape[1] - 1)
    flat_out = variance <= 0
    std = jnp.where(flat_out, 0, jnp.sqrt(jnp.where(flat_out, 1, variance)))
    return jnp.mean(wrong) + weight * jnp.mean(jnp.maximum(spread - std, 0))
