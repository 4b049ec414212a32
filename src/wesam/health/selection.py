"""Which adapter a run hands over, decided by signals that need no mask.

The source model is always a candidate: where nothing looks better than it, the answer is not to adapt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from wesam.health.probe import Signals
from wesam.health.signals import SignalName, gain

RuleName = Literal["last", "last-healthy", "best", "best-healthy"]


#: What the rules look at: whether other views lead to the same mask, how sure the network is of it, and whether its own
#: box, innermost point and mask lead back to it (docs/design-decisions.md).
RULE_SIGNALS: tuple[SignalName, ...] = (
    *("flip_agreement", "strong_agreement", "predicted_iou", "stability"),
    *("box_agreement", "point_agreement", "mask_agreement"),
)

# A smaller change of their mean is none that the four decimals of a report could show.
_MEASURABLE = 5e-5

#: By how much each of them may fall.
TOLERANCE = 0.05

#: By how much the fit to the labels may fall. A mask that leaves the label which prompted it has gone the wrong way,
#: however sure the network is of it; with it the bound of closeness to the source model can be wide.
LABEL_TOLERANCE = 0.01


class SelectionSettings(BaseModel):
    """How the adapter is chosen among those that the run passed through.

    With the gain of a signal its difference to the source model's, higher being better (`health.signals.gain`), a
    candidate is *healthy* if none of `RULE_SIGNALS` has a gain below -`TOLERANCE`, its masks fit the labels that
    prompted them as well as the source model's, less `LABEL_TOLERANCE`, and they agree with the source model's masks to
    `least_anchor_agreement`. The rules:

    * `last`: the last one, without looking at any signal (paper);
    * `last-healthy`: the last one that is healthy;
    * `best`: the one with the highest mean gain of `RULE_SIGNALS`, if that is above 0;
    * `best-healthy`: the same among those that are healthy.

    Where no candidate fits, the source model is chosen.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: RuleName | None = Field(
        default=None,
        description="see above; None: the method's, `best-healthy`, but `last` where health is not measured "
        "(docs/design-decisions.md; paper: the last step)",
    )
    least_anchor_agreement: float = Field(
        default=0.7,
        ge=0,
        le=1,
        description="IoU with the source model's masks below which a candidate has drifted (docs/design-decisions.md)",
    )
    patience: int | None = Field(
        default=None,
        ge=1,
        description="the run stops after this many measurements without a new choice; None: it goes on to its end",
    )


@dataclass(frozen=True)
class Candidate:
    """A point that a run passed through, or one made of such points.

    Attributes:
        name: in words, such as "step 200".
        step: the last step whose weights are in it; 0 is the source model.
        signals: what was measured there.
    """

    name: str
    step: int
    signals: Signals


@dataclass(frozen=True)
class Choice:
    """What a rule decided.

    Attributes:
        index: of the candidate chosen; 0 is the source model.
        reason: one or two sentences for the user.
    """

    index: int
    reason: str

    @property
    def source(self) -> bool:
        """Whether the decision is not to adapt."""
        return self.index == 0


Rule = Callable[[Sequence[Candidate], SelectionSettings], Choice]

LAST_STEP = "The last step of the run; no mask was looked at to choose it."
_NO_MASK = "No mask was looked at to choose it."


def choose(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    """Applies the rule of the settings.

    Args:
        candidates: in the order of their making; the first is the source model.

    Raises:
        ValueError: if there is no candidate, the first is not the source model, or the rule is left open.
    """
    if not candidates or candidates[0].step != 0:
        raise ValueError("expected the source model as the first candidate")
    if settings.rule is None:
        raise ValueError("expected a rule, got None: see RunConfig.effective_selection")
    return RULES[settings.rule](candidates, settings)


def stalled(candidates: Sequence[Candidate], settings: SelectionSettings) -> bool:
    """Whether the choice has stayed the same for `settings.patience` measurements."""
    if settings.patience is None:
        return False
    return len(candidates) - 1 - choose(candidates, settings).index >= settings.patience


def mean_gain(candidate: Candidate, source: Candidate) -> float:
    """Mean over `RULE_SIGNALS` of what a candidate gains over the source model."""
    gains = [gain(name, candidate.signals[name], source.signals[name]) for name in RULE_SIGNALS]
    return float(np.mean(gains))


def ailments(candidate: Candidate, source: Candidate, settings: SelectionSettings) -> list[str]:
    """What speaks against a candidate; empty if it is healthy. Signals that are not finite do."""
    found = []
    for name in RULE_SIGNALS:
        value = candidate.signals[name]
        if not gain(name, value, source.signals[name]) >= -TOLERANCE:
            found.append(f"{name} {value:.3f} (source model {source.signals[name]:.3f})")
    fit, source_fit = candidate.signals["label_agreement"], source.signals["label_agreement"]
    if not fit >= source_fit - LABEL_TOLERANCE:
        found.append(f"label_agreement {fit:.3f} (source model {source_fit:.3f})")
    agreement = candidate.signals["anchor_agreement"]
    if not agreement >= settings.least_anchor_agreement:
        found.append(f"anchor_agreement {agreement:.3f} (at least {settings.least_anchor_agreement:g} wanted)")
    return found


def last(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    """The last candidate, whatever its signals are."""
    return Choice(len(candidates) - 1, LAST_STEP)


def last_healthy(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    """The last candidate that is healthy, else the source model."""
    healthy = _healthy(candidates, settings)
    if not healthy:
        return _sick(candidates, settings)
    index = healthy[-1]
    return Choice(index, f"Chosen: {candidates[index].name}, the last one whose signals of health held. {_NO_MASK}")


def best(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    """The candidate with the highest mean gain, the earliest of equals, if that gain is enough."""
    return _best_of(range(1, len(candidates)), candidates)


def best_healthy(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    """`best` among the candidates that are healthy."""
    healthy = _healthy(candidates, settings)
    if len(candidates) > 1 and not healthy:
        return _sick(candidates, settings)
    return _best_of(healthy, candidates)


RULES: dict[RuleName, Rule] = {
    "last": last,
    "last-healthy": last_healthy,
    "best": best,
    "best-healthy": best_healthy,
}


def _healthy(candidates: Sequence[Candidate], settings: SelectionSettings) -> list[int]:
    return [i for i in range(1, len(candidates)) if not ailments(candidates[i], candidates[0], settings)]


def _best_of(indices: Sequence[int], candidates: Sequence[Candidate]) -> Choice:
    gains = {index: mean_gain(candidates[index], candidates[0]) for index in indices}
    # A comparison with NaN is false, so a candidate without finite signals never wins.
    winner = max(gains, key=lambda index: (gains[index] if np.isfinite(gains[index]) else -np.inf, -index), default=0)
    if gains and all(abs(gained) < _MEASURABLE for gained in gains.values()):
        handed = f"{candidates[winner].name} is handed over" if gains[winner] > 0 else "The source model is kept"
        return Choice(
            winner if gains[winner] > 0 else 0,
            f"Too short a run to choose from: after {candidates[-1].step} steps no signal of health has changed. "
            f"{handed[0].upper()}{handed[1:]}, whose masks are nearly the source model's; use more steps. "
            f"{_NO_MASK}",
        )
    if winner == 0 or not gains[winner] > 0:
        nearest = f"; the best, {candidates[winner].name}, changed it by {gains[winner]:+.4f}" if winner else ""
        why = f"no candidate raised the mean of the signals of health above the source model's{nearest}"
        return Choice(0, _not_adapted(why))
    return Choice(
        winner,
        f"Chosen: {candidates[winner].name}, where the mean of the signals of health stood {gains[winner]:+.4f} above "
        f"the source model's, the most of {len(candidates) - 1} candidates. {_NO_MASK}",
    )


def _sick(candidates: Sequence[Candidate], settings: SelectionSettings) -> Choice:
    if len(candidates) == 1:
        return Choice(0, _not_adapted("there is no other candidate"))
    ailing = ", ".join(ailments(candidates[-1], candidates[0], settings))
    return Choice(0, _not_adapted(f"no candidate's signals of health held; the last one's {ailing}"))


def _not_adapted(why: str) -> str:
    return f"Do not adapt: {why}. The adapter changes nothing; its masks are the source model's. {_NO_MASK}"
