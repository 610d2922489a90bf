"""Windows of sentences and first pieces of words, against a slow plain transcription."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.transfer.encode import LONGEST_WORD, PieceCounts, encode_words, word_sequences
from xlm_align_fairseq.transfer.windows import judging_windows


@pytest.fixture(scope="module")
def pieces(sentencepiece_model, vocabulary):
    return PieceEncoder(sentencepiece_model, vocabulary)


def context(piece, begin, end):
    """Pieces on the side of a window on which it has fewer."""
    return min(piece - begin, end - 1 - piece)


@given(st.integers(0, 500), st.integers(1, 90), st.integers(0, 89))
@settings(deadline=None)
def test_each_piece_is_judged_once_where_it_has_most_context(length, limit, step):
    windows = judging_windows(length, limit, 1 + step % limit if step else None)
    judged = [piece for window in windows for piece in range(window.core_begin, window.core_end)]
    assert judged == list(range(length))
    for begin, end, core_begin, core_end in windows:
        assert 0 <= begin <= core_begin < core_end <= end <= length
        assert end - begin == min(limit, length)
        for piece in range(core_begin, core_end):
            others = [context(piece, b, e) for b, e, _, _ in windows if b <= piece < e]
            assert context(piece, begin, end) == max(others)


def slow(words, pieces, window):
    """What each word is judged by: the sequence and the place in it, one word after the other."""
    ids, first = [], []
    for word in words:
        first.append(len(ids))
        ids += pieces.words([word])[0].tolist() or [UNK]
    limit = window - 2
    begins = [0]
    while begins[-1] + limit < len(ids):
        begins.append(min(begins[-1] + max(1, limit // 2), len(ids) - limit))
    found = []
    for place in first:
        inside = [begin for begin in begins if begin <= place < min(begin + limit, len(ids))]
        best = max(inside, key=lambda begin: (context(place, begin, min(begin + limit, len(ids))), -begin))
        found.append(([0, *ids[best : best + limit], 2], place - best + 1))
    return found


ODD = st.sampled_from(["", "\u200b", "\u200e", "\ufeff", "\u3000", ".", ",", "protein", "Fuchs", "日本語", "½", "x" * 40, "é"])


@given(st.lists(ODD | st.text(max_size=6), max_size=40), st.integers(8, 40))
@settings(deadline=None)
def test_first_pieces_are_those_of_a_plain_transcription(pieces, words, window):
    found = [
        (item.tokens.tolist(), int(place)) for item in word_sequences(encode_words(words, pieces), window) for place in item.first
    ]
    expected = slow(words, pieces, window)
    assert len(found) == len(words)
    for (tokens, place), (theirs, there) in zip(found, expected, strict=True):
        assert tokens[place] == theirs[there]
        assert len(tokens) <= window
        ours, most = context(place, 1, len(tokens) - 1), context(there, 1, len(theirs) - 1)
        assert ours == most
        if ours != context(there - 1, 0, len(theirs) - 2) or len(tokens) < window:  # a short sentence is one window
            assert (tokens, place) == (theirs, there)


def test_a_lone_mark_is_a_first_piece_and_no_piece_is_unk(pieces, vocabulary):
    words = ["protein", "", "⟁", "\u200b", "protein"]
    counts = PieceCounts()
    ids, first = encode_words(words, pieces, counts)
    whole = pieces.words(words)[0]
    assert counts.pieces == len(whole)  # words without pieces are not of them
    assert counts.unknown == int((whole == UNK).sum()) > 0
    mark = pieces.words(["⟁"])[0]
    assert vocabulary.pieces[mark[0]] == "▁"
    assert [ids[n] for n in first] == [whole[0], UNK, mark[0], UNK, whole[0]]
    assert len(ids) == len(whole) + 2


def test_a_word_of_many_letters(pieces):
    words = ["a", "Donaudampfschiff" * 200, "b"]  # 3,200 letters
    encoded = encode_words(words, pieces)
    items = word_sequences(encoded, 64)
    assert len(encoded.ids) > 500
    assert [int(item.tokens[place]) for item in items for place in item.first] == encoded.ids[encoded.first].tolist()
    assert len(items) <= 3  # windows in the middle of the word judge nothing
    longest = encode_words(["x" * (LONGEST_WORD + 5)], pieces)
    assert longest.ids.tolist() == encode_words(["x" * LONGEST_WORD], pieces).ids.tolist()


def test_no_words(pieces):
    assert word_sequences(encode_words([], pieces), 16) == []
    assert np.array_equal(encode_words([], pieces).first, [])


@pytest.mark.parametrize(("unknown", "many"), [(0, False), (5, False), (6, True)])
def test_unknown_pieces_are_said(unknown, many):
    counts = PieceCounts(1000, unknown)
    assert counts.many == many
    assert str(counts).startswith(f"{unknown} of 1000 pieces are unknown ({unknown / 10:.2f} %)")
    assert ("take one that covers this" in str(counts)) == many
    assert PieceCounts().share == 0
