"""The documentation: length of README.md, completeness of commands and reference, no broken links."""

import ast
import re
from pathlib import Path

import pytest

import xlm_align_fairseq
from xlm_align_fairseq.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path(xlm_align_fairseq.__file__).parent
NAME = PACKAGE.name
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.md")])
GUIDES = [page for page in PAGES if page.is_relative_to(ROOT / "docs") or page.name == "README.md"]
INSIDE = ("cli", "plugin")  # their reference is the help texts and the table of flags
LINK = re.compile(r"\]\((?!https?:|mailto:)([^)\s]+)\)")
FENCE = re.compile(r"^```.*?^```", re.M | re.S)
DIRECTIVE = re.compile(r"^::: (\S+)", re.M)


def short(path):
    return str(path.relative_to(ROOT))


def text_of(pages):
    return "\n".join(page.read_text("utf-8") for page in pages)


def anchors(page):
    """Return the anchors of a page's headings, as GitHub and mkdocs make them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text("utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


def documented():
    """Return what the directives of the reference name, each with the page it is on."""
    return {
        found: page
        for page in sorted((ROOT / "docs" / "api").glob("*.md"))
        for found in DIRECTIVE.findall(page.read_text("utf-8"))
    }


def public_classes():
    """Return the public classes of every public module, by the module's dotted name."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts[0] not in INSIDE and not any(part.startswith("_") for part in parts):
            body = ast.parse(path.read_text("utf-8")).body
            names = [node.name for node in body if isinstance(node, ast.ClassDef) and not node.name.startswith("_")]
            found[".".join((NAME, *parts))] = names
    return found


def test_readme_is_short():
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_a_guide(command):
    assert re.search(rf"\bxlm-align {command}\b", text_of(GUIDES))


def test_every_program_is_in_a_guide():
    programs = re.findall(r"\"([\w-]+) = [\w.]+:\w+\"", (ROOT / "setup.py").read_text("utf-8"))
    assert "xlm-align" in programs
    assert [program for program in programs if not re.search(rf"\b{program}\b", text_of(GUIDES))] == []


def test_commands_in_the_documentation_are_commands_of_the_program():
    for page in PAGES:
        blocks = "\n".join(FENCE.findall(page.read_text("utf-8")))
        named = set(re.findall(r"(?:^|[|$(]\s*)xlm-align ([a-z][\w-]*)(?=\s|\))", blocks, re.M))
        assert named <= {*COMMANDS}, short(page)


@pytest.mark.parametrize("page", PAGES, ids=short)
def test_links_lead_somewhere(page):
    for link in LINK.findall(FENCE.sub("", page.read_text("utf-8"))):
        path, _, anchor = link.partition("#")
        target = page.parent / path if path else page
        assert target.exists(), link
        generated = target == ROOT / "docs" / "commands.md" and anchor in COMMANDS
        assert not anchor or generated or anchor in anchors(target), link


def test_directives_name_what_is_there():
    classes = public_classes()
    there = {*classes, *(f"{module}.{name}" for module, names in classes.items() for name in names)}
    assert {name: short(page) for name, page in documented().items() if name not in there} == {}


def test_every_public_class_is_in_the_reference():
    named = documented()
    classes = [(module, f"{module}.{name}") for module, names in public_classes().items() for name in names]
    assert len(classes) > 30  # the walk finds them
    assert [name for module, name in classes if module not in named and name not in named] == []


def test_every_page_of_the_reference_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text("utf-8")
    assert [
        short(page) for page in (ROOT / "docs").rglob("*.md") if page.relative_to(ROOT / "docs").as_posix() not in navigation
    ] == []
