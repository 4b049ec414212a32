"""Animals that look like what is behind them."""

from wesam.bench.datasets.entry import Dataset, Official, Turns
from wesam.bench.datasets.parts import Masks, one_object

_ONE = "all of an image's mask above half of white is one object; grey edges are not objects of their own"

CHAMELEON = Dataset(
    name="chameleon",
    title="CHAMELEON",
    shift="camouflaged",
    source="https://github.com/DengPingFan/SINet (test data, the folder CHAMELEON)",
    terms="collected from the web, no terms stated; research only",
    layout=("Image", "GT"),
    objects=_ONE,
    # Its split is not published: that of most of the authors' data sets.
    split=Turns(Masks("Image/*.jpg", "GT/{stem}.png", one_object), train=6),
    images=76,
)

CAMO = Dataset(
    name="camo",
    title="CAMO",
    shift="camouflaged",
    source="https://sites.google.com/view/ltnghia/research/camo (the folder CAMO-V.1.0-CVIU2019)",
    terms="academic research only",
    layout=("GT", "Images/Train", "Images/Test"),
    objects=_ONE,
    split=Official(
        Masks("Images/Train/*.jpg", "GT/{stem}.png", one_object),
        Masks("Images/Test/*.jpg", "GT/{stem}.png", one_object),
    ),
    images=1250,
)

COD10K = Dataset(
    name="cod10k",
    title="COD10K",
    shift="camouflaged",
    source="https://github.com/DengPingFan/SINet (COD10K, the folder that holds Test)",
    terms="non-commercial research only",
    layout=("Test/Image", "Test/GT_Object"),
    objects=_ONE,
    split=Turns(Masks("Test/Image/*.jpg", "Test/GT_Object/{stem}.png", one_object), train=4),
    images=2026,
)
