"""What mkdocs does not do by itself: help texts from the parsers, flags from fairseq's registries, pages from outside `docs/`.

- `<!-- commands -->` becomes a section for each command of `xlm-align`, with what its `--help` prints.
- `<!-- flags: task NAME -->` (or `criterion`, `model`) becomes the table of the flags that the plugin registers under that name.
- The files of `BESIDE` are pages too, under their paths in the repository, and links across `docs/` lead where they should.
"""

import dataclasses
import importlib
import logging
import os
import posixpath
import re
import sys
import warnings
from enum import Enum
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))  # the package that is documented is the one beside these pages

BESIDE = ("CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "NOTICE.md", "LICENSE", "examples/**/*.md", "examples/**/*.svg")
BESIDE += ("examples/**/*.log", "examples/*/*.tsv")
WIDTH = "100"  # columns of a help text
LINK = re.compile(r"(?<=\]\()(?!https?:|mailto:|#)([^)#\s]+)")


def on_files(files, config):
    """Add the pages that stand outside `docs/`."""
    for pattern in BESIDE:
        for path in sorted(ROOT.glob(pattern)):
            name = path.relative_to(ROOT).as_posix()
            files.append(File.generated(config, name, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown, page, config, files):
    """Fill in what is generated, and let links lead to pages."""
    if "<!-- commands -->" in markdown:
        markdown = markdown.replace("<!-- commands -->", commands())
    markdown = re.sub(r"<!-- flags: (\w+) (\w+) -->", lambda found: flags(*found.groups()), markdown)
    source = Path(page.file.abs_src_path).relative_to(ROOT).as_posix()
    return LINK.sub(lambda found: site_link(found[1], source, page.file.src_uri, files), markdown)


def site_link(link: str, source: str, page: str, files) -> str:
    """Turn a link between files of the repository into one between pages; what is no page stays as it is.

    Args:
        link: relative, without an anchor.
        source: the file that it stands in, from the top of the repository.
        page: the same file among the pages.
        files: all pages.
    """
    target = posixpath.normpath(posixpath.join(posixpath.dirname(source), link))
    target = {"README.md": "index.md", "examples/quickstart": "examples/quickstart/README.md"}.get(target, target)
    target = target.removeprefix("docs/")
    if files.get_file_from_path(target) is None and files.get_file_from_path(f"{target}/README.md") is not None:
        target = f"{target}/README.md"
    if files.get_file_from_path(target) is None:
        return link
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def quiet_import(name: str) -> Any:
    """Import a module; what its own imports warn of, and the logging that they set up, are no part of the documentation."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    logging.disable()
    try:
        with warnings.catch_warnings(record=True):
            return importlib.import_module(name)
    finally:
        logging.disable(logging.NOTSET)
        root.handlers[:] = handlers


def commands() -> str:
    """Write a section for each command: what it is for, and its help text."""
    os.environ["COLUMNS"] = WIDTH
    parts = []
    for name, purpose in quiet_import("xlm_align_fairseq.cli.main").COMMANDS.items():
        parser = quiet_import(f"xlm_align_fairseq.cli.{name.replace('-', '_')}").parser()
        purpose = f"{purpose[0].upper()}{purpose[1:]}"
        parts.append(f"## xlm-align {name} {{#{name}}}\n\n{purpose}.\n\n```text\n{parser.format_help().rstrip()}\n```\n")
    return "\n".join(parts)


def flags(kind: str, name: str) -> str:
    """Write the table of the flags that the plugin registers with fairseq as `kind` and `name`."""
    quiet_import("xlm_align_fairseq")  # which registers with fairseq when that is imported
    module = quiet_import({"task": "fairseq.tasks", "criterion": "fairseq.criterions", "model": "fairseq.models"}[kind])
    rows = ["| flag | default | what it does |", "|---|---|---|"]
    for field in dataclasses.fields(getattr(module, f"{kind.upper()}_DATACLASS_REGISTRY")[name]):
        default = field.default.value if isinstance(field.default, Enum) else field.default
        text = field.metadata.get("help")
        if not text or str(default).startswith("${"):  # of another part of the configuration
            continue
        if default == "???":
            rows.append(f"| `{field.name.upper()}` | needed | {text} |")
            continue
        choices = _choices(field.type)
        allowed = f" Allowed: {', '.join(f'`{choice}`' for choice in choices)}." if choices else ""
        shown = "" if default is None or default is False else f"`{default}`"
        rows.append(f"| `--{field.name.replace('_', '-')}` | {shown} | {text}{';' if allowed else ''}{allowed.lower()} |")
    return "\n".join(rows)


def _choices(kind) -> list[str]:
    """Return the values of an enumeration, or of an optional one; of other types none."""
    found = [part for part in (kind, *getattr(kind, "__args__", ())) if isinstance(part, type) and issubclass(part, Enum)]
    return [member.value for member in found[0]] if found else []
