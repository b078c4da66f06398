"""Real data for a study: loaded, checked, split, scaled; nothing is fetched at import, nothing loaded is executed."""

from .arrays import noise_like as noise_like
from .arrays import one_hot_centred as one_hot_centred
from .arrays import standardise as standardise
from .dataset import Dataset as Dataset
from .images import block_mean as block_mean
from .images import resize_images as resize_images
from .inputs import load_inputs as load_inputs
from .loading import load as load
from .molecules import HARTREE as HARTREE
from .molecules import Molecules as Molecules
from .molecules import atomic_energies as atomic_energies
from .molecules import composition as composition
from .qm9 import has_qm9 as has_qm9
from .qm9 import read_qm9 as read_qm9
from .splitting import split as split
from .textures import textures as textures
