"""When memory runs out: the decoder takes fewer prompts at once, then a step takes its batches in parts."""

from __future__ import annotations

from wesam.errors import WesamError
from wesam.segmenters.sam import SamSegmenter

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
    """How a step is cut so that it fits.

    Either cut leaves the result as it was but for rounding: prompts are decoded independently of one another, and a
    loss is a mean over images. (Of what is compared between images, `contrastive_weight` with
    `cross_image_negatives`, a part sees only its own.)

    Args:
        segmenter: whose `decode_chunk` is made smaller.

    Attributes:
        parts: into how many parts each batch goes, one after the other.
    """

    def __init__(self, segmenter: SamSegmenter) -> None:
        self._segmenter = segmenter
        self._whole_chunk = segmenter.decode_chunk
        self.parts = 1

    def shrink(self, images: int) -> str:
        """Halves the decoder's chunk, or, once that is a single prompt, the batch.

        A smaller batch begins with the whole chunk again: where the encoder was what did not fit, small chunks
        would only have cost time.

        Args:
            images: of a batch.

        Returns:
            What was done, in words.

        Raises:
            WesamError: if one image with one prompt at once does not fit either.
        """
        if self._segmenter.decode_chunk > 1:
            self._segmenter.decode_chunk //= 2
            return f"the decoder takes {self._segmenter.decode_chunk} prompts at once from here on"
        if self.parts < images:
            self.parts = min(2 * self.parts, images)
            self._segmenter.decode_chunk = self._whole_chunk
            return f"each batch of {images} images goes in {self.parts} parts from here on, their gradients added up"
        raise WesamError(
            "expected memory for one image with one prompt at once, got less; "
            "a smaller model, --set precision=bf16 or other programs closed may help"
        )
