"""Heaps of things in front of a robot."""

from wesam.bench.datasets.entry import Dataset, Turns
from wesam.bench.datasets.parts import Masks, clutter, numbers

OCID = Dataset(
    name="ocid",
    title="OCID",
    shift="robotic",
    source="https://www.acin.tuwien.ac.at/en/vision-for-robotics/software-tools/object-clutter-indoor-dataset/",
    terms="see its page; cite Suchi et al. 2019",
    layout=("ARID20", "ARID10", "YCB10"),
    objects="number in the label image; 1 is the floor, and in the sequences on a table 2 is the table",
    split=Turns(Masks("**/seq*/rgb/*.png", "{above}/label/{stem}.png", clutter), train=6, skip_empty=True),
    images=2390,
)

OSD = Dataset(
    name="osd",
    title="OSD",
    shift="robotic",
    source="https://www.acin.tuwien.ac.at/en/vision-for-robotics/software-tools/osd/ (OSD-0.2)",
    terms="see its page; cite Richtsfeld et al. 2012",
    layout=("image_color", "annotation"),
    objects="number in the label image (the authors' code leaves out number 1 as well)",
    split=Turns(Masks("image_color/*.png", "annotation/{stem}.png", numbers()), train=6, skip_empty=True),
    images=111,
)
