"""A Hugging Face tokenizer of ours gives the ids of the model on any text, or the export is refused with the reason."""

import io
import json
import random
import unicodedata

import pytest
import sentencepiece
import torch
from sentencepiece import sentencepiece_model_pb2

from xlm_align_fairseq.convert import charsmap, hugging_face, hugging_face_tokenizer
from xlm_align_fairseq.convert.open import open_model
from xlm_align_fairseq.encoder.network import Encoder, EncoderConfig
from xlm_align_fairseq.encoder.vocabulary import Vocabulary, open_sentencepiece
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.record import Model, default_aligner

transformers = pytest.importorskip("transformers")

EXACT = {
    "plain": {},
    "no dummy prefix": {"add_dummy_prefix": False},
    "all spaces": {"remove_extra_whitespaces": False},
    "no dummy prefix, all spaces": {"add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "pieces across spaces": {"split_by_whitespace": False},
    "characters": {"model_type": "char"},
    "identity": {"normalization_rule_name": "identity"},
    "NFKC": {"normalization_rule_name": "nfkc"},
    "specials in another order": {"pad_id": 0, "unk_id": 1, "bos_id": 2, "eos_id": 3},
    "no <s>": {"bos_id": -1},
    "control symbols": {"control_symbols": ["<de>"]},
    "mask": {"user_defined_symbols": ["<mask>"]},
}
REFUSED = {
    "type bpe": {"model_type": "bpe"},
    "type word": {"model_type": "word"},
    "white space at the end of words": {"treat_whitespace_as_suffix": True},
    "unknown characters as bytes": {"byte_fallback": True, "vocab_size": 520},
    "user-defined symbols such as '<x>'": {"user_defined_symbols": ["<x>", "<mask>"]},
    "normalises 'A' to 'a'": {"normalization_rule_name": "nmt_nfkc_cf"},
    "does not mark spaces": {"escape_whitespaces": False},
}
SAME = "no tokenizer of Hugging Face gives the same ids; use this model with xlm-align, as `--to fairseq` writes it"


def trained(sentences, **options):
    model, sizes = io.BytesIO(), {"vocab_size": 300, "character_coverage": 0.98, "hard_vocab_limit": False}
    texts = iter([text.replace("<", " ") for text in sentences[:-1]] * 3)
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=texts, model_writer=model, minloglevel=2, **{**sizes, **options})
    return model.getvalue()


@pytest.fixture(scope="module")
def texts(sentences):
    """Return sentences, their canonical decompositions, and random text of their characters and of all there are."""
    rng = random.Random(7)
    known = "".join(text for text in sentences) + "  ▁\t\u3000\u200b"
    every = [chr(code) for code in range(32, 0x30000) if unicodedata.category(chr(code))[0] not in "CM"]
    drawn = ["".join(rng.choice(known) for _ in range(25)) for _ in range(300)]
    drawn += ["".join(rng.choice(every) for _ in range(12)) for _ in range(300)]
    # a mark behind what it is not composed with is the one thing that `tokenizers` cannot do
    drawn = ["".join(c for c in text if not unicodedata.combining(c)) for text in drawn]
    edges = ["", " ", "▁", "▁ a", "  ▁▁", "a▁▁", "a \u00a0 b", "\u1112\u1161\u11ab", "ｶﾞｷﾞ", "\u00a0\u093f"]
    return [*sentences, *(unicodedata.normalize("NFD", text) for text in sentences), *drawn, *edges]


def ids(sentencepiece_model, vocabulary, texts):
    processor = open_sentencepiece(sentencepiece_model)
    lookup = vocabulary.lookup(processor)
    return [[0, *lookup[processor.encode(text)].tolist(), 2] for text in texts]


@pytest.mark.parametrize("name", EXACT)
def test_ids_are_equal_on_every_text(tmp_path, name, sentences, texts):
    model = trained(sentences, **EXACT[name])
    vocabulary = Vocabulary.from_sentencepiece(model)
    hugging_face_tokenizer.write(tmp_path, vocabulary, model, 512)
    (tmp_path / "config.json").write_text('{"model_type": "xlm-roberta"}')
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours, theirs = ids(model, vocabulary, texts), tokenizer(texts)["input_ids"]
    assert [text for text, one, other in zip(texts, ours, theirs, strict=True) if one != other] == []
    assert any(3 in row for row in ours), "no unknown piece: the comparison is weaker than it looks"
    assert (len(tokenizer), tokenizer.mask_token_id) == (len(vocabulary), vocabulary.mask)
    for _ in range(2):  # read back: with the sentencepiece model, then from tokenizer.json alone
        again, read = hugging_face_tokenizer.read(tmp_path)
        assert read == vocabulary
        assert ids(again, read, texts) == ours
        (tmp_path / "sentencepiece.bpe.model").unlink(missing_ok=True)


@pytest.mark.parametrize("reason", REFUSED)
def test_what_cannot_be_equal_is_refused(tmp_path, reason, sentences):
    options = dict(REFUSED[reason])
    escape = options.pop("escape_whitespaces", True)
    model = trained(sentences, **options)
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(model)
    proto.normalizer_spec.escape_whitespaces = escape
    model = proto.SerializeToString()
    with pytest.raises(InputError) as error:
        hugging_face_tokenizer.write(tmp_path / "out", Vocabulary.from_sentencepiece(model), model, 512)
    assert str(error.value).startswith("--to hf: the sentencepiece model ")
    assert reason in str(error.value)
    assert str(error.value).endswith(SAME)
    assert not (tmp_path / "out").exists()


def test_rules_of_sequences_are_refused(tmp_path):
    pieces = [("▁", -1.0), ("E", -2.0), ("F", -3.0)]
    composing = {
        unicodedata.normalize("NFD", c): c for c in map(chr, range(0xC0, 0xD7A4)) if unicodedata.normalize("NFC", c) == c
    }
    composing = {key: value for key, value in composing.items() if key != value}
    for rules, reason in (
        ({"CD": "EF"}, "normalises 'CD' to 'EF'"),
        ({"①": "1"}, "normalises characters and does not compose 'A\u0300' to 'À'"),
        ({**composing, "①": "1"}, ""),
    ):
        model = charsmap.assemble(pieces, charsmap.build(rules))
        vocabulary = Vocabulary.from_sentencepiece(model)
        if not reason:
            hugging_face_tokenizer.write(tmp_path, vocabulary, model, 512)
            continue
        with pytest.raises(InputError) as error:
            hugging_face_tokenizer.write(tmp_path, vocabulary, model, 512)
        assert reason in str(error.value)


def test_unused_pieces_and_pieces_that_text_never_makes_are_refused(tmp_path, sentencepiece_model, vocabulary):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString(sentencepiece_model)
    proto.pieces[20].type = proto.SentencePiece.UNUSED
    with pytest.raises(InputError, match=f"unused pieces such as {proto.pieces[20].piece!r}"):
        hugging_face_tokenizer.write(tmp_path, vocabulary, proto.SerializeToString(), 512)
    more = Vocabulary([*vocabulary.pieces[4:-1], "madeupword0000"])
    with pytest.raises(InputError, match=r"has 1 pieces that the sentencepiece model never makes, the first is 'madeupword0000'"):
        hugging_face_tokenizer.write(tmp_path, more, sentencepiece_model, 512)
    fewer = Vocabulary(vocabulary.pieces[5:-1])
    with pytest.raises(InputError, match=r"trimmed: it lacks 1 of the .* give --expand-from with the untrimmed model"):
        hugging_face_tokenizer.write(tmp_path, fewer, sentencepiece_model, 512)


@pytest.mark.parametrize("symbols", [["<mask>"], []])
def test_a_mask_among_the_pieces_keeps_every_row_in_its_place(tmp_path, sentences, symbols):
    """`<mask>` has a row in the middle: as a user-defined symbol, or in dict.txt alone."""
    pieces = trained(sentences, user_defined_symbols=symbols)
    made = Vocabulary.from_sentencepiece(pieces).pieces[4:]
    vocabulary = Vocabulary(made if symbols else [*made[:9], "<mask>", *made[9:-1]])
    assert vocabulary.mask < len(vocabulary) - 1
    config = EncoderConfig(len(vocabulary), 1, 8, 2, 16, 12)
    state = {f"encoder.{key}": value for key, value in Encoder(config).state_dict().items()}
    state["encoder.embed_positions.weight"] = torch.zeros(14, 8)
    model = Model(config, state, "xlm-roberta", vocabulary, pieces, default_aligner("xlm-roberta", 1))
    hugging_face.write(tmp_path, model)
    for _ in range(2):
        again = open_model(tmp_path)
        assert again.vocabulary == vocabulary
        assert again.state["encoder.embed_tokens.weight"].equal(state["encoder.embed_tokens.weight"])
        assert ids(again.sentencepiece, again.vocabulary, sentences) == ids(pieces, vocabulary, sentences)
        (tmp_path / "sentencepiece.bpe.model").unlink(missing_ok=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    assert tokenizer.mask_token_id == vocabulary.mask
    assert tokenizer(sentences)["input_ids"] == ids(pieces, vocabulary, sentences)


def test_tokenizers_of_other_kinds_are_not_read(tmp_path, sentencepiece_model, vocabulary):
    hugging_face_tokenizer.write(tmp_path, vocabulary, sentencepiece_model, 512)
    (tmp_path / "sentencepiece.bpe.model").unlink()
    path = tmp_path / "tokenizer.json"
    good = json.loads(path.read_text(encoding="utf-8"))

    def refused(text, **changes):
        path.write_text(json.dumps({**good, **changes}), encoding="utf-8")
        with pytest.raises(InputError, match=text) as error:
            hugging_face_tokenizer.read(tmp_path)
        assert str(error.value).startswith(str(path))
        assert "\n" not in str(error.value)

    model = good["model"]
    refused("model.type is 'BPE': allowed is 'Unigram'", model={**model, "type": "BPE"})
    refused("model.byte_fallback is True: allowed is False", model={**model, "byte_fallback": True})
    refused("model.vocab is 3: allowed is a valid array", model={**model, "vocab": 3})
    refused("model.vocab.5.1 is 'x': allowed is a valid number", model={**model, "vocab": [*model["vocab"][:5], ["a", "x"]]})
    refused("the piece '<s>' is there twice", model={**model, "vocab": [*model["vocab"], ["<s>", 0.0]]})
    refused("normalizer.type is 'Lowercase': allowed is 'Sequence'", normalizer={"type": "Lowercase"})
    refused("is not base64", normalizer={"type": "Precompiled", "precompiled_charsmap": "é"})
    refused("pre_tokenizer.type is 'ByteLevel'", pre_tokenizer={"type": "ByteLevel"})
    path.write_text("[" * 100_000)
    with pytest.raises(InputError, match=r"tokenizer.json is not JSON: recursion limit exceeded at line 1"):
        hugging_face_tokenizer.read(tmp_path)
