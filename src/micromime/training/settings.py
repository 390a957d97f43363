"""What a training consists of, as it stands in params.yaml. Nothing here imports torch."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator

from micromime.scenario.parameters import Section


def _rate(written: Any) -> Any:
    """Return what stands for a peak rate; pydantic would say of another word that it is no number."""
    if written != "find" and (type(written) not in (int, float) or not 0 < written <= 1):
        raise ValueError(f"{written!r} is not allowed; give a number above 0 and up to 1, or find")
    return written


LARGEST_STEP_PX = 64 * 2**20
"""Pixels of all images of a step: a little more than in the paper's largest, of 3584 tiles of 128 px."""


class Phase(Section):
    """Epochs with one image size, one set of trainable layers and one learning-rate policy (one-cycle)."""

    size_px: int = Field(ge=32, le=2048, multiple_of=32, description="Side the images are resized to, px.")
    trainable: Literal["head", "all"] = Field(description="The head (decoder) with the body frozen, or all layers.")
    epochs: int = Field(ge=1, le=1000, description="Passes over the training images.")
    peak_rate: Annotated[float | Literal["find"], BeforeValidator(_rate)] = Field(
        description="Highest learning rate of the one-cycle policy, or `find`: the first run of the arm finds it."
    )
    batch_size: int = Field(ge=2, le=4096, description="Images a step.")
    least_images: int = Field(
        0, ge=0, le=1_000_000, description="Of an epoch: where there are fewer, they are gone through several times."
    )

    @field_validator("batch_size")
    @classmethod
    def _a_step_of_bounded_size(cls, count: int, others: ValidationInfo) -> int:
        side = others.data.get("size_px", 0)
        if count * side**2 > LARGEST_STEP_PX:
            most = LARGEST_STEP_PX // side**2
            raise ValueError(f"{count} images of {side} x {side} px a step take too much memory; give {most} or fewer")
        return count


class Augmentation(Section):
    """How images and masks are changed at random whenever they are seen in training; nothing of it is stored."""

    rotation_deg: float = Field(ge=0, le=180, description="Largest rotation either way, degrees.")
    zoom: float = Field(ge=1, le=3, description="Largest enlargement.")
    lighting: float = Field(ge=0, le=0.8, description="Largest change of brightness and contrast, share.")
    stretch: float = Field(ge=1, le=2, description="Largest enlargement of one axis alone: stretched or squished.")
    jitter_px: float = Field(ge=0, le=8, description="Each pixel is taken from a place up to this far away, px.")
    quarter_turns: bool = Field(True, description="Besides flips both ways; not where what is seen lies one way.")


REHEARSAL = (
    "Share of the images that are of data sets before, drawn anew for each run, where an arm goes on with another."
)

Target = Literal["mask", "centre_line"]
"""What a network learns of a mask: all of it, or where its lines run, however wide they are drawn."""


class TrainParameters(Section):
    """One arm: runs that differ in nothing but their seed."""

    architecture: str = Field(description="A file of training/architectures.")
    runs: int = Field(ge=1, le=10_000, description="Runs; run number = seed, from 1.")
    validation_share: float = Field(gt=0, lt=1, description="Share of the images that a run does not train on.")
    precision: Literal["float32", "bfloat16"] = Field(
        description="Of the multiplications; bfloat16 needs a processor made for it, or is slow."
    )
    channels_last: bool = Field(description="Keep the channels of a pixel together in memory: often faster.")
    threads: int = Field(ge=1, le=256, description="Threads of one run; cores // threads runs go side by side.")
    finder_steps: int = Field(ge=20, le=1000, description="Batches that the learning-rate finder tries, at most.")
    augmentation: Augmentation
    target: Target = Field("mask", description="Where masks are found: the mask, or its lines without their width.")
    cl_dice_share: float = Field(
        0.0, ge=0, le=0.9, description="Share of the loss that is 1 - soft clDice, which asks for unbroken lines."
    )
    rehearsal_share: float = Field(0.0, ge=0, le=0.9, description=REHEARSAL)
    phases: tuple[Phase, ...] = Field(strict=False, min_length=1, description="In this order, weights handed on.")

    @property
    def epochs(self) -> int:
        """Epochs of one run over all phases."""
        return sum(phase.epochs for phase in self.phases)

    @property
    def rates(self) -> tuple[float, ...] | None:
        """The peak rate of every phase, or None as long as some of them are to be found."""
        rates = tuple(phase.peak_rate for phase in self.phases if phase.peak_rate != "find")
        return rates if len(rates) == len(self.phases) else None

    def with_rates(self, rates: Sequence[float]) -> Self:
        """Return the same settings with a number for the peak rate of every phase."""
        pairs = zip(self.phases, rates, strict=True)
        phases = tuple(phase.model_copy(update={"peak_rate": rate}) for phase, rate in pairs)
        return self.model_copy(update={"phases": phases})

    def longer(self, times: int) -> Self:
        """Return the same settings with so many times the epochs."""
        phases = tuple(phase.model_copy(update={"epochs": phase.epochs * times}) for phase in self.phases)
        return self.model_copy(update={"phases": phases})

    def finetuning(self, asked: "FinetuneParameters") -> Self:
        """Return the settings of an arm that goes on with this one's networks: its phases, all else as here."""
        runs = self.runs if asked.runs == "all" else asked.runs
        changed = {"runs": runs, "phases": asked.phases, "rehearsal_share": asked.rehearsal_share}
        return self.model_copy(update=changed)


class FinetuneParameters(Section):
    """What differs in an arm that goes on with another arm's networks."""

    runs: Literal["all"] | Annotated[int, Field(ge=1, le=10_000)] = Field(
        "all", description="Runs, all or the first ones; each goes on with the network of the same number."
    )
    rehearsal_share: float = Field(0.0, ge=0, le=0.9, description=REHEARSAL)
    phases: tuple[Phase, ...] = Field(strict=False, min_length=1, description="In this order, weights handed on.")
