"""Does an ensemble trained on turned images know that turning changes nothing, also where it saw no data?

Each network learns it only near the data. The mean over infinitely many initialisations obeys it everywhere and at
every time of training; what is left with M networks falls as 1/sqrt(M), on a line that the covariance at infinite
width predicts.
"""

import jax
import jax.numpy as jnp
import jax.random as jr
from sklearn.datasets import load_digits

from equitangents import Dense, Erf, Flatten, Serial
from equitangents.dynamics import GradientFlow, ensemble
from equitangents.groups import image_action, point_group
from equitangents.symmetry import (
    augment,
    group_average,
    invariance_gap,
    match_learning_rate,
    orbit,
    orbit_covariance,
    orbit_deviation,
    predicted_orbit_deviation,
    violation_variance,
)

jax.config.update("jax_enable_x64", True)  # symmetries to the last digit; all works in float32 too

# Data: zeros against ones, 8 x 8 pixels, labels -1 and 1; new inputs are noise, unlike any digit.
digits = load_digits(n_class=2)
x = jnp.asarray(digits.images[:20, ..., None] / 16, float)
y = jnp.asarray(2 * digits.target[:20, None] - 1, float)
noise = jr.uniform(jr.key(0), (10, 8, 8, 1))

turn = image_action(point_group("C4"))
net = Serial(Flatten(), Dense(200, sigma_w=1.5), Erf(), Dense(1))
x_turned, y_turned = augment(x, y, turn)  # all four rotations of each image
print(f"{len(x)} images, {len(x_turned)} with their rotations")

# 1. Infinitely many networks: the mean predictor, plain and augmented, on noise. It is invariant at every time.
plain = GradientFlow(net, x, y, loss="sum")
augmented = GradientFlow(net, x_turned, y_turned, loss="sum")
for t in (0.1, 1.0, 100.0):
    gaps = [float(invariance_gap(lambda z, f=f, t=t: f.mean(z, t), noise, turn)) for f in (plain, augmented)]
    print(f"t = {t:5}: turning noise changes the mean by up to {gaps[0]:.2f} without, {gaps[1]:.0e} with augmentation")
    assert gaps[0] > 0.02 and gaps[1] < 1e-10

# 2. It is the same predictor as that of the network with the symmetry built in, |G| times faster for the sum loss.
factor = match_learning_rate("sum", 4)
imposed = GradientFlow(group_average(net, turn), x, y, loss="sum")
difference = jnp.max(jnp.abs(augmented.mean(noise, 1.0) - imposed.mean(noise, factor.time * 1.0)))
print(f"augmented and built in differ by {difference:.0e}")
assert difference < 1e-10

# Three of four rotations are no group, and do not do it.
three = GradientFlow(net, *augment(x, y, turn, elements=(0, 1, 2)), loss="sum")
assert float(invariance_gap(lambda z: three.mean(z, 100.0), noise, turn)) > 0.01

# 3. Finitely many: train 128 networks of width 200, and look at means over M of them.
rate, steps = 0.02, 50
trained = ensemble(
    net,
    (x_turned, y_turned),
    members=128,
    key=jr.key(1),
    loss="sum",
    learning_rate=rate,
    steps=steps,
    x_record=orbit(turn, noise).reshape(-1, 8, 8, 1),
)
outputs = trained.outputs[:, -1].reshape(128, 4, len(noise), 1)  # member, rotation, image, output
covariance = orbit_covariance(lambda z: augmented.descent(rate).covariance(z, t=steps), noise, turn)
variance = violation_variance(covariance)
for members in (1, 4, 16):
    means = outputs.reshape(128 // members, members, *outputs.shape[1:]).mean(1)
    measured = jnp.sqrt(jnp.mean(jnp.stack([orbit_deviation(mean) for mean in means]) ** 2))
    predicted = jnp.sqrt(jnp.mean(predicted_orbit_deviation(variance, members) ** 2))
    print(f"M = {members:2}: deviation over an orbit {measured:.4f}, predicted {predicted:.4f}")
    assert abs(measured / predicted - 1) < 0.25
