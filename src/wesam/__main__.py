"""`python -m wesam`, and so `accelerate launch -m wesam adapt ...`."""

from wesam.cli import main

main()
