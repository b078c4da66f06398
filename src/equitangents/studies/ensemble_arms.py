"""The arms at finite width: ensembles trained by gradient descent on the mean squared error, member by member."""

import warnings
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..dynamics.cost import count_parameters, flops
from ..dynamics.ensemble import ensemble
from ..equivariant.twin import impose
from ..nets import AbstractLayer
from .config import EnsembleRun
from .kernel_arms import network
from .piece import Arrays, Get, Piece
from .precision import single
from .problem import Problem, Symmetry, file_name, moved

SPACING = 3  # between recorded moments, as a factor


@dataclass(frozen=True, eq=False)
class Training:
    """One ensemble: an arm, a group, a training size, a width and a seed.

    The arm "plain" belongs to the largest group, on whose orbits its outputs are kept.
    """

    run: EnsembleRun
    arm: str
    symmetry: Symmetry
    n: int
    width: int
    seed: int

    @property
    def name(self) -> str:
        group = "" if self.arm == "plain" else f"-{file_name(self.symmetry.name)}"
        return f"train-{self.run.name}-{self.arm}{group}-n{self.n}-w{self.width}-s{self.seed}"

    @property
    def keeps_params(self) -> bool:
        """Whether the trained networks are kept, for the model that is chosen."""
        return self.n == self.run.train_sizes[-1]

    def parts(self) -> list[tuple[str, range]]:
        """Names of the pieces, and their members."""
        run = self.run
        starts = range(0, run.members, run.piece)
        return [(f"{self.name}-m{i}", range(i, min(i + run.piece, run.members))) for i in starts]


def recorded_steps(run: EnsembleRun) -> tuple[int, ...]:
    """Numbers of steps after which outputs are kept, the last one `run.steps`."""
    return tuple(sorted({max(1, round(run.steps / SPACING**k)) for k in range(run.record)}))


def recorded_times(run: EnsembleRun) -> tuple[float, ...]:
    """The same as training times, in units of the scale piece: the largest stable learning rate is 2 of them."""
    return tuple(2 * run.rate * step for step in recorded_steps(run))


def trainings(run: EnsembleRun, problem: Problem) -> list[Training]:
    """All ensembles of a run, in the order in which they are trained."""
    found = []
    for n in run.train_sizes:
        for width in run.widths:
            for seed in run.seeds:
                if "plain" in run.arms:
                    found.append(Training(run, "plain", problem.largest, n, width, seed))
                for symmetry in problem.symmetries:
                    for arm in ("augmented", "equivariant"):
                        if arm in run.arms:
                            found.append(Training(run, arm, symmetry, n, width, seed))
    return found


def finite_network(training: Training, problem: Problem) -> AbstractLayer:
    """The description that an ensemble trains."""
    run, symmetry = training.run, training.symmetry
    net = network(run, problem, training.width, len(problem.dataset.classes))
    if training.arm != "equivariant":
        return net
    factor = symmetry.order**-0.5 if run.twin_width == "parameters" else 1.0
    return impose(net, symmetry.action, problem.shape(run.size), width=factor)


def training_pieces(run: EnsembleRun, problem: Problem) -> list[Piece]:
    """The ensembles of a run, in pieces of `run.piece` members."""
    pieces = []
    for training in trainings(run, problem):
        net = finite_network(training, problem)
        made_from = ("train", repr(net), training.arm, run.size, run.steps, run.rate, run.batch, run.record)
        images = training.n * (training.symmetry.order if training.arm == "augmented" else 1)
        for name, members in training.parts():
            pieces.append(
                Piece(
                    name,
                    f"train {run.name} {training.arm} {training.symmetry.name} {training.width}",
                    (*made_from, training.seed, len(problem.items(run).y_test), len(problem.items(run).x_off)),
                    partial(_train, training, problem, net, members),
                    amount=len(members) * run.steps * (run.batch or images),
                    needs=(f"scale-{run.name}",),
                    arm=training.arm,
                    model="ensemble",
                )
            )
    return pieces


def _train(training: Training, problem: Problem, net: AbstractLayer, members: range, get: Get) -> Arrays:
    import jax

    run, symmetry, n = training.run, training.symmetry, training.n
    items = problem.items(run)
    x, y = items.x_train[:n], items.targets(n).astype(np.float32)
    augmented = training.arm == "augmented"
    if augmented and not run.batch:
        orbit = moved(symmetry.action, x)
        x, y = orbit.reshape(-1, *x.shape[1:]), np.tile(y, (symmetry.order, 1))
    seen = moved(symmetry.action, np.concatenate([items.x_test, items.x_off]))
    scale = float(get(f"scale-{run.name}")["scale"])
    with single(), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # members that diverge are left out, and counted
        done = ensemble(
            net,
            (x, y),
            members=members,
            key=jax.random.key(training.seed),
            loss="mean",
            learning_rate=2 * run.rate / scale,
            steps=run.steps,
            batch_size=min(run.batch, n) or None,
            augment=symmetry.action if augmented and run.batch else None,
            record=recorded_steps(run),
            x_record=seen.reshape(-1, *x.shape[1:]),
            keep_params=training.keeps_params,
        )
        outputs = np.asarray(done.outputs)
        arrays = {
            "outputs": outputs.reshape(*outputs.shape[:2], symmetry.order, -1, outputs.shape[-1]),
            "diverged": np.asarray(done.diverged),
        }
        if done.params is not None:
            leaves = jax.tree.leaves(done.params)
            arrays |= {f"param{i:03d}": np.asarray(leaf) for i, leaf in enumerate(leaves)}
    return arrays


def outputs_of(training: Training, get: Get) -> np.ndarray:
    """Outputs (members, times, |G|, test and off inputs, classes) of the members that did not diverge."""
    parts = [get(name) for name, _ in training.parts()]
    return np.concatenate([part["outputs"][~part["diverged"]] for part in parts])


def cost_piece(run: EnsembleRun, problem: Problem) -> Piece:
    """Operations of a forward pass and parameters, of one network of each kind."""
    kinds = [t for t in trainings(run, problem) if t.n == run.train_sizes[0] and t.seed == run.seeds[0]]
    nets = [finite_network(t, problem) for t in kinds]

    def work(get: Get) -> Arrays:
        import jax

        shape = problem.shape(run.size)
        with single():
            forward = [flops(net, shape) for net in nets]
            drawn = [jax.eval_shape(lambda key, net=net: net.init(key, shape)[1], jax.random.key(0)) for net in nets]
        return {"flops": np.array(forward), "parameters": np.array([count_parameters(p) for p in drawn])}

    return Piece(f"cost-{run.name}", "cost", ("cost", *map(repr, nets)), work, amount=len(nets), model="ensemble")
