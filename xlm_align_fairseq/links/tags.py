"""Find tags in a line as people write them, the text between them, and what of a plain text could begin a tag.

A tag is a name directly after ``<`` or ``</``, then attributes, quoted or not, then ``>`` or ``/>``. A comment, a processing
instruction, a declaration, and ``<script>`` or ``<style>`` with all that is in them are tags without text, too: no word is in
them. Of a CDATA section the text counts, of a character reference (``&euro;``) what it stands for. Anything else is text, such
as ``a < b``, ``<3`` or ``AT&T``.

Reference: HTML Living Standard, 13.1.2 (void elements), 13.2.5 (what begins a tag).
"""

from __future__ import annotations

import html
import re
from bisect import bisect_left
from collections.abc import Sequence
from html.entities import html5
from typing import NamedTuple

from xlm_align_fairseq.text.words import Word

_ALONE = "area base basefont bgsound br col embed frame hr img input keygen link meta param source track wbr"
_BLOCKS = (
    "address article aside blockquote br caption center dd details dialog dir div dl dt fieldset figcaption figure footer form"
    " h1 h2 h3 h4 h5 h6 header hgroup hr li main menu nav ol option p pre section summary table tbody td tfoot th thead tr ul"
)
VOID = frozenset(_ALONE.split())  # elements without an end tag, those that HTML no longer has among them
BREAKS = frozenset(_BLOCKS.split())  # elements before and after which a word ends, though nobody writes a space there
# Possessive throughout: a place that begins no tag is left after one look, so that the time grows with the length alone.
_S = r"[ \t\n\f\r]"  # white space as HTML has it
_NAME = r"[A-Za-z_][\w:.-]*+"
_VALUE = rf"""(?:"[^"]*+"|'[^']*+'|(?!{_S})[^"'<>=`](?:(?!{_S})[^"'<>])*+)"""
_ATTRIBUTE = rf"""(?:{_S}(?:{_S}|/)*+|(?<=["']))[^\s"'<>/=]++(?:{_S}*+={_S}*+{_VALUE})?+"""
_TAG = re.compile(rf"<(?:/(?P<close>{_NAME}){_S}*+|(?P<open>{_NAME})(?:{_ATTRIBUTE})*+(?P<tail>(?:{_S}|/)*+))>")
# what is text here, but a tag or a comment to a reader of HTML, who then does not see the tags that stand in it
_LOOSE_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>"'][^ \t\n\f\r>]*+)?+"""
_LOOSE_ATTRIBUTE = rf"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{_S}*+={_S}*+{_LOOSE_VALUE})?+"
_TAG_OF_HTML = re.compile(rf"</?[A-Za-z][^ \t\n\f\r/>]*+(?:{_S}|/|{_LOOSE_ATTRIBUTE})*+>|<(?:[!?]|/[^A-Za-z>])[^>]*+>")
_BEGINS_IN_HTML = re.compile(r"<(?:/?[A-Za-z][^\s/>]*+|[!?]|/(?!>))")
_DECLARATION = re.compile(r"<![A-Za-z][^<>]*+>")
_SECTIONS = {"<!--": "-->", "<![CDATA[": "]]>", "<?": "?>"}
_MUST_END = ("<!--", "<![CDATA[")
_CODE = frozenset(["script", "style"])
_TEXT = frozenset(["iframe", "noembed", "noframes", "textarea", "xmp"])  # HTML elements in which nothing is a tag
_REFERENCE = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{0,31});")
_ENDS_LINE = re.compile(r"[\t\n\r\v\f\x1c-\x1f\x85\u2028\u2029]")  # a tab ends the source in TSV
# `<` before these begins a tag, a comment or a declaration for some reader of HTML, XML or templates, closed or not
_BEGINS = re.compile(r"<(?=[^\W\d]|[:/!?%\0])")
OPEN, CLOSE, POINT = range(3)


class Tag(NamedTuple):
    """Hold a tag of a line.

    Attributes:
        text: as it stands.
        kind: `OPEN`, `CLOSE`, or `POINT` for what needs no end tag.
        name: as it stands; empty for a comment and the like.
        at: where it stands in the text without tags.
    """

    text: str
    kind: int
    name: str
    at: int


class _Text:
    """Gather the text between tags."""

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.length = 0
        self.broken = False  # whether a word ends here, whatever comes

    def add(self, text: str) -> bool:
        """Add text; say whether it was parted from the text before it by a space."""
        if not text:
            return False
        apart = self.broken and self.length > 0 and text[0] != " " and self.parts[-1][-1] != " "
        self.broken = False
        self.parts += [" ", text] if apart else [text]
        self.length += len(text) + apart
        return apart


def split_tags(line: str) -> tuple[str, list[Tag], str]:
    """Return the text without tags, the tags, and what of the line begins like a tag but is never closed.

    A tag of `BREAKS` between two words leaves a space, any other tag leaves nothing.

    >>> split_tags("a<br/>b &amp; <i>c")[0]
    'a b & c'
    """
    text = _Text()
    tags: list[Tag] = []
    ends = _Ends(line)
    fault, breaks, done, at = "", 0, 0, line.find("<")
    hidden, hider = 0, ""  # up to where a reader of HTML sees no tags, and what of the text makes that so
    while at >= 0:
        found = _read(line, at, ends)
        if found is None:
            fault = fault or next((begin for begin in _MUST_END if line.startswith(begin, at)), "")
            if at >= hidden and (begun := _BEGINS_IN_HTML.match(line, at)):
                whole = _TAG_OF_HTML.match(line, at)
                hidden, hider = whole.end() if whole else len(line), begun[0]
            at = line.find("<", at + 1)
            continue
        end, kind, name = found
        _add(text, unescape(line[done:at]), tags, breaks)
        done = end
        if kind is None:
            _add(text, line[at + len("<![CDATA[") : end - len("]]>")], tags, breaks)
        else:
            fault = fault or (hider if at < hidden else "")
            tags.append(Tag(line[at:end], kind, name, text.length))
            if name.lower() in BREAKS:
                text.broken, breaks = True, len(tags)
            if kind == OPEN and name.lower() in _TEXT:
                end = ends.find(_end_tag(name), end, begins=True)
        at = line.find("<", end) if end >= 0 else -1
    _add(text, unescape(line[done:]), tags, breaks)
    return "".join(text.parts), tags, fault


def unescape(text: str) -> str:
    """Return a text with the characters that its character references stand for; what would end the line becomes a space.

    >>> unescape("5 &euro; AT&T &#10; &nothing;")
    '5 € AT&T   &nothing;'
    """
    return _REFERENCE.sub(lambda found: _stands_for(found[0]), text) if "&" in text else text


def is_code(name: str) -> bool:
    """Say whether elements of that name have code in them, not words; also with a prefix, as in SVG."""
    return name.lower().rpartition(":")[2] in _CODE


def escape_tags(line: str) -> str:
    """Return a line of plain text in which nothing is a tag or begins one; it has the same words, but for their ``<``.

    >>> escape_tags("I <3 what <b> does, and <img src=x")
    'I <3 what &lt;b> does, and &lt;img src=x'
    """
    return _BEGINS.sub("&lt;", line)


def escape_places(line: str, words: Sequence[Word]) -> list[Word]:
    """Return words of a line of plain text where and as they stand in ``escape_tags(line)``."""
    begins = [found.start() for found in _BEGINS.finditer(line)]
    longer, escaped = len("&lt;") - 1, escape_tags(line)
    moved = []
    for word in words:
        begin, end = (at + longer * bisect_left(begins, at) for at in word[1:])
        moved.append(Word(escaped[begin:end], begin, end))
    return moved


def references(text: str) -> list[tuple[int, int]]:
    """Return where the character references of a text begin and end."""
    return [found.span() for found in _REFERENCE.finditer(text) if _stands_for(found[0]) != found[0]] if "&" in text else []


def keep_references_whole(text: str, words: Sequence[Word]) -> tuple[list[Word], list[int]]:
    """Join words that one character reference of the text has parts of, so that no tag is put into it.

    Returns:
        The words, and for each of those given the number of that which it is in.
    """
    places = references(text)
    joined: list[Word] = []
    numbers: list[int] = []
    n = 0
    for word in words:
        while n < len(places) and places[n][1] <= word.begin:
            n += 1
        if joined and n < len(places) and places[n][0] < joined[-1].end and places[n][0] < word.begin:
            first = joined[-1].begin
            joined[-1] = Word(text[first : word.end], first, word.end)
        else:
            joined.append(word)
        numbers.append(len(joined) - 1)
    return joined, numbers


class _Ends:
    """Find the ends of sections and of code; one that is not there is looked for once."""

    def __init__(self, line: str) -> None:
        self.line = line
        self.missing: set[str] = set()

    def find(self, end: str, at: int, begins: bool = False) -> int:
        """Return where what fits a pattern first ends, or begins, behind a place, -1 for nowhere."""
        found = None if end in self.missing else re.compile(end, re.I).search(self.line, at)
        if found is None:
            self.missing.add(end)
        return -1 if found is None else found.start() if begins else found.end()


def _read(line: str, at: int, ends: _Ends) -> tuple[int, int | None, str] | None:
    """Return the end, the kind (`None`: CDATA) and the name of the tag that begins at a ``<``; `None` if there is none."""
    for begin, end in _SECTIONS.items():
        if line.startswith(begin, at):
            close = ends.find(re.escape(end), at + len(begin))
            return None if close < 0 else (close, None if begin == "<![CDATA[" else POINT, "")
    if found := _DECLARATION.match(line, at):
        return found.end(), POINT, ""
    found = _TAG.match(line, at)
    if found is None:
        return None
    if name := found["close"]:
        return found.end(), CLOSE, name
    name = found["open"]
    if is_code(name):  # a reader of HTML takes all as code up to the end tag, behind <script/> too
        close = ends.find(_end_tag(name), found.end())
        return (found.end(), OPEN, name) if close < 0 else (close, POINT, "")
    return found.end(), POINT if found["tail"].endswith("/") else OPEN, name


def _end_tag(name: str) -> str:
    return rf"</{re.escape(name.lower())}{_S}*+>"


def _add(text: _Text, more: str, tags: list[Tag], breaks: int) -> None:
    """Add text; what stands behind the tag that parts it from the text before stands behind the space."""
    if text.add(more):
        for n in range(breaks, len(tags)):
            tags[n] = tags[n]._replace(at=tags[n].at + 1)


def _stands_for(reference: str) -> str:
    known = reference[1] == "#" or reference[1:] in html5
    return _ENDS_LINE.sub(" ", html.unescape(reference)) or reference if known else reference
