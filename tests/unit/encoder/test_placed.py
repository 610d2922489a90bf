"""Places of pieces in running text: each trap of sentencepiece's normalisation, and a plain transcription."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.convert import charsmap
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.vocabulary import Vocabulary

LETTERS = "abcdefghijklmnopqrstuvwxyzTéï1234⁄?.日本語の文章。"
PIECES = ["▁", "sufficient", "......", "...", "▁1⁄2", "▁fine", "▁his", "This", "▁صلى", "▁الله", "▁عليه", "▁وسلم", *LETTERS]


@pytest.fixture(scope="module")
def few():
    """Return an encoder of a few pieces, with the normalisation of XLM-R; long pieces are preferred."""
    model = charsmap.assemble([(piece, -10.0 + len(piece) / 10) for piece in PIECES], charsmap.bundled())
    return PieceEncoder(model, Vocabulary.from_sentencepiece(model))


@pytest.fixture(scope="module")
def trained(sentencepiece_model, vocabulary):
    return PieceEncoder(sentencepiece_model, vocabulary)


def placed(encoder, text):
    """Return each piece with the text at its place."""
    ids, begins, ends = (column.tolist() for column in encoder.placed(text))
    return [(encoder.vocabulary.pieces[n], text[begin:end]) for n, begin, end in zip(ids, begins, ends, strict=True)]


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "a lone mark has an empty place": ("sufficient", [("▁", ""), ("sufficient", "sufficient")]),
        "also within the text": ("his sufficient", [("▁his", "his"), ("▁", ""), ("sufficient", "sufficient")]),
        "wide marks become six": ("？……a", [("▁", ""), ("?", "？"), ("......", "……"), ("a", "a")]),
        "one becomes three": ("a…", [("▁", ""), ("a", "a"), ("...", "…")]),
        "half": ("½ a½", [("▁1⁄2", "½"), ("▁", ""), ("a", "a"), ("1", "½"), ("⁄", "½"), ("2", "½")]),
        "half behind a digit": ("a1½", [("▁", ""), ("a", "a"), ("1", "1"), ("1", "½"), ("⁄", "½"), ("2", "½")]),
        "a ligature": ("ﬁne", [("▁fine", "ﬁne")]),
        "a ligature in two pieces": ("aﬁ", [("▁", ""), ("a", "a"), ("f", "ﬁ"), ("i", "ﬁ")]),
        "a character of four words": ("a ﷺ", [("▁", ""), ("a", "a"), *[(word, "ﷺ") for word in PIECES[8:12]]]),
        "a control character that is dropped": ("T\x10his\x10 a", [("▁", ""), ("This", "T\x10his"), ("▁", ""), ("a", "a")]),
        "one that becomes a space": ("T\u200bhis", [("▁", ""), ("T", "T"), ("▁his", "his")]),
        "combining marks": ("fe\u0301 i\u0308", [("▁", ""), ("f", "f"), ("é", "e\u0301"), ("▁", ""), ("ï", "i\u0308")]),
        "outside the first plane": ("😀𐍈 his", [("▁", ""), ("<unk>", "😀𐍈"), ("▁his", "his")]),
        "a wide space": ("his\u3000his", [("▁his", "his")] * 2),
        "spaces and ends of lines": ("  his \n\n\t his ", [("▁his", "his")] * 2),
        "a mark in the text is a space": ("his ▁ his", [("▁his", "his")] * 2),
        "no spaces": ("日本語の文章。", [("▁", ""), *zip("日本語の文章。", "日本語の文章。", strict=True)]),
        "no text": ("", []),
        "blanks alone": (" \u200b\u3000\n", []),
        "half of a pair of surrogates": ("a\ud800his", [("▁", ""), ("a", "a"), ("?", "\ud800"), *zip("his", "his", strict=True)]),
    }.values(),
)  # fmt: skip
def test_traps(few, text, expected):
    assert placed(few, text) == expected


def test_a_mark_within_a_character_is_a_piece_of_it(trained):
    pieces = placed(trained, "aﷺ")
    assert [piece for piece, _ in pieces].count("▁") > 1
    assert pieces[0] == ("▁a", "a")
    assert {place for _, place in pieces[1:]} == {"ﷺ"}


def slow(encoder, text):
    """Place each piece by sentencepiece's table of where each normalised character comes from."""
    processor = encoder.processor
    _, origins = processor.normalize(text, with_offsets=True)
    pieces = processor.encode(text, out_type=str)
    found, at = [], 0
    for piece in pieces:
        begin, end = origins[at], origins[at + len(piece)]
        at += len(piece)
        while begin < end and (text[begin].isspace() or not processor.encode(text[begin])):
            begin += 1
        while begin < end and (text[end - 1].isspace() or not processor.encode(text[end - 1])):
            end -= 1
        found.append([begin, end])
    for n, (piece, place) in enumerate(zip(pieces, found, strict=True)):
        following = next((other for other in found[n:] if other[0] < other[1]), place)
        if place[0] == place[1] == following[0] and piece != "▁":
            place[1] = following[1]
        place[1] = max(place[1], found[n - 1][1] if n else 0)
    return found


ODD = st.sampled_from(
    [*"aTs .,½…？ﬁﷺ▁日 \n\t", "\u3000", "\u200b", "\u200d", "\x10", "\x00", "\u0301", "\ufeff", "😀", "𐍈", "protein "]
)


@given(st.lists(ODD | st.characters(codec="utf-8"), max_size=30).map("".join))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_places_are_those_of_a_plain_transcription(few, trained, text):
    for encoder in (few, trained):
        ids, begins, ends = encoder.placed(text)
        assert ids.tolist() == encoder.text(text).tolist()
        assert list(zip(begins.tolist(), ends.tolist(), strict=True)) == [tuple(place) for place in slow(encoder, text)]
        assert (begins <= ends).all()
        assert (np.diff(begins) >= 0).all()
        assert (np.diff(ends) >= 0).all()
        assert ends.max(initial=0) <= len(text)


def test_nothing_of_a_text_is_lost(trained, sentences):
    for text in sentences:
        _, begins, ends = trained.placed(text)
        inside = {n for begin, end in zip(begins.tolist(), ends.tolist(), strict=True) for n in range(begin, end)}
        assert [c for n, c in enumerate(text) if n not in inside and trained.processor.encode(c)] == []


def test_pieces_that_the_encoder_lacks_have_places(few):
    smaller = Vocabulary(piece for piece in few.vocabulary.pieces[4:] if piece != "sufficient")
    assert placed(PieceEncoder(few.processor.serialized_model_proto(), smaller), "his sufficient")[2] == ("<unk>", "sufficient")
