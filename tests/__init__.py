"""Tests ask nothing of the network: without this, a model that no hub has costs half a minute of retries."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
