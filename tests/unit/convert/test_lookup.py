"""Vocabularies of sentencepiece models."""

from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece


def test_ids_are_those_of_sentencepiece_plus_one(sentencepiece_model, tmp_path):
    processor = open_sentencepiece(sentencepiece_model)
    (tmp_path / "m.model").write_bytes(sentencepiece_model)
    vocabulary = Vocabulary.from_sentencepiece(tmp_path / "m.model")
    assert vocabulary == Vocabulary.from_sentencepiece(sentencepiece_model)
    size = processor.get_piece_size()
    assert len(vocabulary) == size + 2
    assert vocabulary.mask == size + 1
    lookup = vocabulary.lookup(processor)
    assert lookup.tolist() == [3, 0, 2, *range(4, size + 1)]
    assert [vocabulary.pieces[i] for i in lookup[3:]] == [processor.id_to_piece(i) for i in range(3, size)]


def test_a_piece_that_is_missing_is_unknown(sentencepiece_model, vocabulary):
    processor = open_sentencepiece(sentencepiece_model)
    fewer = Vocabulary(piece for piece in vocabulary.pieces[4:-1] if piece != vocabulary.pieces[9])
    lookup = fewer.lookup(processor)
    assert lookup[8] == 3
    assert lookup[7] == 8
    assert lookup[9] == 9
