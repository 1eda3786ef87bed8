"""Templates of log lines, found online in a tree of fixed depth.

Source: He, Zhu, Zheng and Lyu, "Drain: An Online Log Parsing Approach with Fixed Depth Tree" (ICWS 2017). Lines are
told apart by their number of words, then by their first words, then by how many words they share with a template of
that leaf. Ours differs in what it forgets: at most so many templates are kept, in all and in a leaf, and the one not
seen for longest goes.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import eq

from sysop.watches.logs.masks import Masks

WILD = "<*>"
DEPTH = 2
"""So many first words lead to a leaf."""

SIMILARITY = 0.5
"""A line belongs to a template if at least this share of its words is the same; a wild one counts for nothing."""

MAX_CHILDREN = 100
"""Different words at one node; further ones share a branch."""

MAX_LEAF = 100
"""Templates of one leaf; a line is compared with each of them, so that more would make a log of free text slow."""

MAX_EXAMPLE = 500
"""Characters of its first line that a template keeps."""

_REMEMBERED = 20_000

Path = tuple[int | str, ...]


@dataclass(slots=True)
class Template:
    """One kind of line. `key` is made of the first such line and stays, while words may become wild."""

    key: str
    words: list[str]
    example: str
    path: Path
    seen: int = 0

    @property
    def text(self) -> str:
        """Return the template as a person reads it."""
        return " ".join(self.words)


class Miner:
    """Finds the template of each line. The same lines in the same order give the same templates."""

    def __init__(self, most: int, masks: Masks | None = None) -> None:
        self._most = most
        self._masks = masks or Masks()
        self._templates: OrderedDict[str, Template] = OrderedDict()
        self._leaves: dict[Path, list[Template]] = {}
        self._children: dict[Path, set[str]] = {}
        self._exact: dict[str, str] = {}
        self._turn = 0
        self.forgotten: list[str] = []
        """Keys of templates that had to go since somebody last emptied this."""

    def __iter__(self) -> Iterator[Template]:
        """Yield the templates, the one not seen for longest first."""
        return iter(self._templates.values())

    def __len__(self) -> int:
        return len(self._templates)

    def get(self, key: str) -> Template | None:
        """Return a template that is still kept."""
        return self._templates.get(key)

    def known(self, line: str) -> str | None:
        """Return the key of a line whose masked words were seen before; None for one that `take` must look at."""
        key = self._exact.get(" ".join(self._masks.tokens(line)))
        if key is None or key not in self._templates:
            return None
        self._touch(self._templates[key])
        return key

    def take(self, line: str) -> str:
        """Return the key of a line's template, which may be a new one."""
        words = self._masks.tokens(line)
        path = self._path(words)
        template = self._closest(words, self._leaves.get(path, ()))
        if template is None:
            template = Template(_key(words), words, line[:MAX_EXAMPLE], path)
            if template.key in self._templates:  # only a template that has become wild since can have it
                template.key = _key([*words, template.key])
            self.restore(template)
        else:
            template.words = [ours if ours == word else WILD for ours, word in zip(template.words, words, strict=True)]
            self._touch(template)
        if len(self._exact) >= _REMEMBERED:
            self._exact.clear()
        self._exact[" ".join(words)] = template.key
        return template.key

    def restore(self, template: Template) -> None:
        """Put a template back as the one seen last, such as after a restart."""
        for place, word in enumerate(template.path):
            if place and word != WILD:
                self._children.setdefault(template.path[:place], set()).add(str(word))
        self._templates[template.key] = template
        self._touch(template)
        leaf = self._leaves.setdefault(template.path, [])
        leaf.append(template)
        if len(leaf) > MAX_LEAF:
            self._forget(min(leaf, key=lambda one: one.seen))
        if len(self._templates) > self._most:
            self._forget(next(iter(self._templates.values())))

    def _touch(self, template: Template) -> None:
        self._turn += 1
        template.seen = self._turn
        self._templates.move_to_end(template.key)

    def _forget(self, template: Template) -> None:
        del self._templates[template.key]
        self._prune(template)
        self.forgotten.append(template.key)

    def _prune(self, template: Template) -> None:
        """Take a template out of the tree, and the branches that led to it alone."""
        self._leaves[template.path].remove(template)
        if self._leaves[template.path]:
            return
        del self._leaves[template.path]
        for place in range(len(template.path) - 1, 0, -1):
            node, word = template.path[:place], str(template.path[place])
            children = self._children.get(node, set())
            children.discard(word)
            if children or (*node, WILD) in self._leaves:
                return
            self._children.pop(node, None)

    def _path(self, words: Sequence[str]) -> Path:
        path: Path = (len(words),)
        for word in words[:DEPTH]:
            path = (*path, self._branch(path, word))
        return path

    def _branch(self, node: Path, word: str) -> str:
        """Return the branch of a word. What was masked varies, so it shares one with what found no place."""
        if "<" in word:
            return WILD
        children = self._children.setdefault(node, set())
        if word not in children:
            if len(children) >= MAX_CHILDREN:
                return WILD
            children.add(word)
        return word

    @staticmethod
    def _closest(words: Sequence[str], templates: Sequence[Template]) -> Template | None:
        best, most = None, -1
        for template in templates:
            same = sum(map(eq, template.words, words))
            if same > most:
                best, most = template, same
        return best if best is not None and most >= SIMILARITY * len(words) else None


def _key(words: Sequence[str]) -> str:
    return hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).hexdigest()[:12]
