"""CEL's compiled module, without the package around it.

`import cel` runs that package's own command line as well, with a prompt and a pager behind it: a quarter of a second of
processor time, in every command of ours, for nothing that we use.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import PathFinder
from types import ModuleType
from typing import TYPE_CHECKING

_NAME = "cel.cel"

if TYPE_CHECKING:
    import cel
else:

    def _load() -> ModuleType:
        if _NAME in sys.modules:
            return sys.modules[_NAME]
        package = importlib.util.find_spec("cel")
        spec = PathFinder.find_spec(_NAME, package and package.submodule_search_locations)
        if spec is None:
            raise ModuleNotFoundError(f"{_NAME} is not installed; it comes with common-expression-language", name=_NAME)
        module = importlib.util.module_from_spec(spec)
        sys.modules[_NAME] = module  # by its own name: it can be initialised once only, and others may import it too
        spec.loader.exec_module(module)
        return module

    cel = _load()

__all__ = ["cel"]
