"""The page's files: all named, none large, none that writes markup or asks for anything from outside."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

FOLDER = Path(str(resources.files("sysop.workspace") / "page"))
MARKUP = re.compile(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function")


def test_the_page_names_every_file_it_is_made_of() -> None:
    named = re.findall(r'(?:href|src)="([a-z_]+\.(?:js|css))"', (FOLDER / "index.html").read_text("utf-8"))
    assert sorted(named) == sorted(file.name for file in FOLDER.iterdir() if file.suffix in (".js", ".css"))


def test_its_modules_are_small_and_make_no_markup_of_data() -> None:
    for file in FOLDER.glob("*.js"):
        text = file.read_text("utf-8")
        assert len(text.splitlines()) < 300, file.name
        assert not MARKUP.search(text), file.name


def test_nothing_is_asked_for_outside() -> None:
    for file in FOLDER.iterdir():
        addresses = re.findall(r"""["'(](https?://[^"')]*)""", file.read_text("utf-8"))
        assert set(addresses) <= {"http://www.w3.org/2000/svg"}, file.name
