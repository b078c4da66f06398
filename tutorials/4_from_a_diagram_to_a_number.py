"""How does a diagram become a number, and do random networks of finite width give the same one?

The tensor F says how the tangent kernel of a finite network depends on its outputs, to order 1/width. Its diagrams are
drawn, written as terms, evaluated by hand, by `expand`, and measured on random networks.
"""

import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np

from equitangents import Dense, Serial, Tanh
from equitangents.corrections import diagrams, expand, extrapolate, gaussian_means, sample_tensors, text

jax.config.update("jax_enable_x64", True)  # the recursions lose digits layer by layer
x = jnp.array([[0.8, -0.5, 1.1], [0.2, 1.3, -0.4]])
a, b = 0, 1  # two inputs


def network(width, depth):
    dense = Dense(width, sigma_w=1.2, sigma_b=0.3)
    return Serial(*[dense, Tanh()] * (depth - 1), Dense(1, sigma_w=1.2, sigma_b=0.3))


# 1. Two diagrams give F of a layer from the tensors of the layer before. In a notebook a diagram shows its figure.
first, second = diagrams("F")
print(f"F'_0123 = {first}\n        + {second}")
assert first.draw().startswith("<svg") and len(second.cumulants) == 1


# 2. A diagram stands for terms: its derivatives carried out. A term is a product of numbers of the layer before: of
#    tensors, and of Gaussian means over one neuron, here by quadrature. Indices 0, 1, 2, 3 are given inputs.
def number(term, before, inputs, c_w, lambda_w, ratio):
    value = float(term.coefficient) * ratio**term.ratio * c_w**term.c_w * lambda_w**term.lambda_w
    for slots in term.thetas:
        value *= before.Theta[tuple(inputs[s] for s in slots)]
    for name, slots in term.tensors:
        value *= before.tensors[name][tuple(inputs[s] for s in slots)]
    blobs = [tuple((inputs[slot], order) for slot, order in blob) for blob in term.blobs]
    return value * math.prod(gaussian_means(Tanh(), tuple(blobs), before.K).tolist())


print("the terms of the second diagram:", *map(text, second.terms), sep="\n  ")
c_w = 1.2**2  # and lambda_w is the same; the ratio of the widths of neighbouring layers is 1
layers = expand(network(30, 3), x, ["F"])
where = (a, a, b, b)
by_diagram = [sum(number(t, layers[1], where, c_w, c_w, 1.0) for t in diagram.terms) for diagram in (first, second)]

# 3. `expand` does this for all layers and inputs. F before one hidden layer is 0, so after it the first diagram is all.
only = sum(number(term, layers[0], where, c_w, c_w, 1.0) for term in first.terms)
assert np.isclose(layers[1].F[where], only) and np.isclose(layers[2].F[where], sum(by_diagram), rtol=1e-6)
print(f"F after one hidden layer: {layers[1].F[where]:.4f}; after two: {by_diagram[0]:.4f} + {by_diagram[1]:.4f}")

# 4. Random networks, the last layer averaged analytically. With one hidden layer F is exact, whatever the width.
found = sample_tensors(network(8, 2), x, ["F"], 4000, jr.key(0), batch=200)
value, error = found.mean["F"][where], found.error["F"][where]
print(f"sampled, one hidden layer of width 8: {value:.4f} +- {error:.4f}")
assert abs(value - layers[1].F[where]) < 4 * error and error < 0.1 * value

# 5. With two hidden layers there are further orders: a line in 1/width through two widths leaves the next one out.
widths = (12, 36)
runs = [sample_tensors(network(n, 3), x, ["F"], 4000, jr.key(n), batch=200) for n in widths]
fit = extrapolate(widths, [run.mean["F"] for run in runs], [run.error["F"] for run in runs], degree=1)
print(f"sampled, two, extrapolated: {fit.value[where]:.4f} +- {fit.error[where]:.4f}")
assert abs(fit.value[where] - layers[2].F[where]) < 4 * fit.error[where] and fit.error[where] < 0.1 * fit.value[where]
