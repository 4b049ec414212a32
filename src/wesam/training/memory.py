"""When memory runs out: the decoder takes fewer prompts at once, then batches go in parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from accelerate.utils.memory import clear_device_cache

from wesam.errors import WesamError
from wesam.models.segmenter import Segmenter

T = TypeVar("T")

# What torch and the systems below it say; only CUDA's and MPS's allocators have an error type of their own.
_MESSAGES = (
    "out of memory",  # CUDA, HIP, XPU, MPS
    "can't allocate memory",  # torch's allocator on a CPU
    "not enough memory",  # the same on Windows
    "CUBLAS_STATUS_ALLOC_FAILED",
    "CUDNN_STATUS_ALLOC_FAILED",
    "bad_alloc",
    "could not create a primitive",  # oneDNN, where its scratch memory is refused
    "could not create a memory object",
)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the memory of the device or of the host did not suffice."""
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


class MemoryGuard:
    """Cuts work on a batch until it fits, and says so.

    Either cut leaves the result as it was but for rounding: prompts are decoded independently of one another, and a
    loss is a mean over images. (Of what is compared between images, `contrastive_weight` with
    `cross_image_negatives`, a part sees only its own.)

    Training steps and measurements have a guard each, as only steps keep values for a backward pass; the decoder's
    chunk is common to both.

    Args:
        segmenter: whose `decode_chunk` is made smaller.
        items: what a batch consists of, in words.

    Attributes:
        parts: into how many parts each batch goes, one after the other.
    """

    def __init__(self, segmenter: Segmenter, items: str = "images") -> None:
        self._segmenter = segmenter
        self._whole_chunk = segmenter.decode_chunk
        self._items = items
        self.parts = 1

    def fit(self, size: int, work: Callable[[int], T], tell: Callable[[str], None]) -> T:
        """What `work` returns, which is called again, on smaller pieces, for as long as memory does not suffice.

        Args:
            size: of the batch.
            work: takes the number of parts to go in; an attempt that failed must leave nothing behind.
            tell: told of each cut, in words.

        Raises:
            WesamError: if one item with one prompt at once does not fit either.
        """
        while True:
            try:
                return work(self.parts)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Only now, without the error and the frames it held, are the tensors of the failed attempt gone.
            clear_device_cache(garbage_collection=True)
            tell(f"memory did not suffice; {self.shrink(size)}")

    def shrink(self, size: int) -> str:
        """Halves the decoder's chunk, or, once that is a single prompt, the batch.

        A smaller batch begins with the whole chunk again: where the encoder was what did not fit, small chunks
        would only have cost time.

        Returns:
            What was done, in words.

        Raises:
            WesamError: if nothing is left to halve.
        """
        if self._segmenter.decode_chunk > 1:
            self._segmenter.decode_chunk //= 2
            return f"the decoder takes {self._segmenter.decode_chunk} prompts at once from here on"
        if self.parts < size:
            self.parts = min(2 * self.parts, size)
            self._segmenter.decode_chunk = self._whole_chunk
            return f"each batch of {size} {self._items} goes in {self.parts} parts from here on"
        raise WesamError(
            "expected memory for one image with one prompt at once, got less; "
            "a smaller model, --set precision=bf16 or other programs closed may help"
        )
