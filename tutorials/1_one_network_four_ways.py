"""What can be known about a network from its description alone?

One description is read four ways: as a finite network, as its kernel at infinite width, as an ensemble trained in
closed form, and with a symmetry imposed. Each answer is checked against the one before.
"""

import jax
import jax.numpy as jnp
import jax.random as jr

from equitangents import Dense, Erf, Flatten, Relu, Serial, empirical_ntk, monte_carlo, ntk
from equitangents.dynamics import GradientFlow, ensemble
from equitangents.equivariant import GroupConv, GroupPool, Lift
from equitangents.groups import image_action, point_group
from equitangents.symmetry import group_average, invariance_gap
from equitangents.testing import assert_matches_monte_carlo

x = jr.normal(jr.key(0), (6, 4, 4, 1))  # six images
y = jr.normal(jr.key(1), (6, 1))
x_new = jr.normal(jr.key(2), (3, 4, 4, 1))


def network(width):
    return Serial(Flatten(), Dense(width, sigma_w=1.4, sigma_b=0.2), Relu(), Dense(1))


# 1. A finite network: draw parameters, apply it to one example, batch it by `vmap`. Its tangent kernel is random.
net = network(100)
shape, params = net.init(jr.key(3), x.shape[1:])
outputs = jax.vmap(net.apply, (None, 0))(params, x)
print(net, "takes", x.shape[1:], "to", shape)
assert outputs.shape == (6, 1)

# 2. Its kernel at infinite width: a number for each pair of inputs. Finite kernels scatter around it as 1/sqrt(width).
kernel = ntk(net, x)
one = empirical_ntk(net.apply, params, x)
print(f"tangent kernel of the first image: {one[0, 0]:.2f} of this network, {kernel[0, 0]:.2f} at infinite width")
scatter = [jnp.mean(monte_carlo(network(width), x, key=jr.key(4), networks=100).ntk_error) for width in (32, 512)]
print(f"16 times the width divides the scatter by {scatter[0] / scatter[1]:.2f}")
assert abs(scatter[0] / scatter[1] - 4) < 0.6

# 3. Trained: the mean over all initialisations is known in closed form at every time. An ensemble of finite networks,
#    each trained by 200 steps of gradient descent at rate 0.02, agrees within the scatter of its members.
flow = GradientFlow(net, x, y, loss="sum")
steps, rate = 200, 0.02
expected = flow.descent(rate).mean(x_new, steps)
recipe = {"loss": "sum", "learning_rate": rate, "steps": steps, "x_record": x_new, "centred": True}  # f_t - f_0
trained = ensemble(network(512), (x, y), members=40, key=jr.key(5), **recipe)
assert_matches_monte_carlo(trained.outputs[:, -1], expected)
print("mean prediction in closed form:  ", [round(float(f), 2) for f in expected[:, 0]])
print("mean of 40 finite networks:      ", [round(float(f), 2) for f in trained.outputs[:, -1].mean(0)[:, 0]])

# 4. With a symmetry: a kernel averaged over rotations belongs to a group convolution of the same depth whose first
#    filters cover the image. Its predictor does not change when an image is turned, trained or new.
turn = image_action(point_group("C4"))
averaged = group_average(net, turn)
imposed = Serial(Lift("C4", 100, "all", sigma_w=1.4, sigma_b=0.2), Relu(), GroupConv("C4", 1, 1), GroupPool())
difference = jnp.max(jnp.abs(averaged(x)[1] - ntk(imposed, x)))
symmetric = GradientFlow(imposed, x, y, loss="sum")
gaps = [float(invariance_gap(lambda z, f=f: f.mean(z, jnp.inf), x_new, turn)) for f in (flow, symmetric)]
print(f"averaged and imposed kernels differ by {difference:.1e}; predictions change by {gaps[0]:.2f} and {gaps[1]:.1e}")
assert difference < 1e-5 and gaps[0] > 0.1 and gaps[1] < 1e-4

# The description is a value: it prints as written, and another nonlinearity is one word.
assert repr(net) == "Serial(Flatten(), Dense(100, sigma_w=1.4, sigma_b=0.2), Relu(), Dense(1))"
assert ntk(Serial(Flatten(), Dense(100), Erf(), Dense(1)), x).shape == (6, 6)
