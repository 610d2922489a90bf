"""A fine-tuned run in use, without fairseq: order, counts, windows, and files that do not belong together."""

import json
import subprocess
import sys

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from xlm_align_fairseq.encoder.states import padded
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.model.record import load_encoder
from xlm_align_fairseq.transfer import predict
from xlm_align_fairseq.transfer.encode import encode_words, word_sequences
from xlm_align_fairseq.transfer.heads import TagHead
from xlm_align_fairseq.transfer.predict import Transfer
from xlm_align_fairseq.transfer.settings import AnswerSettings, ClassSettings, TagSettings, read_settings, write_settings

TAGS = ("A", "B", "C", "O")
TEXT = "0" * 64  # a digest
ANSWERS = AnswerSettings(384, TEXT, 64, 128, 30)


@pytest.fixture
def run(tmp_path, make_model, randomised, batch):
    """Write a run: a model directory, the head in its checkpoint, the settings; all tags are about as probable."""
    model = make_model(heads=())
    write_model(tmp_path, model)
    head = randomised(TagHead(32, len(TAGS)), 4)
    with torch.no_grad():
        states = load_encoder(model)(batch)[batch != 1]
        head.out.bias -= head(states).mean(0)
    path = tmp_path / "model.pt"
    content = torch.load(path, weights_only=True)
    content["model"] |= head.state_dict(prefix="head.")
    torch.save(content, path)
    write_settings(tmp_path, TagSettings(40, TEXT, TAGS))
    return tmp_path


def one_by_one(transfer, words):
    """The tag of each word, each sequence encoded alone and unpadded but for what its own length asks."""
    found = []
    for tokens, first in word_sequences(encode_words(words, transfer.pieces), transfer.settings.window):
        batch = torch.full((1, int(min(padded(len(tokens)), 40))), 1)
        batch[0, : len(tokens)] = torch.from_numpy(tokens)
        with torch.inference_mode():
            logits = transfer.head(transfer.encoder(batch)[0, torch.from_numpy(first)])
        found += [TAGS[n] for n in logits.argmax(-1)]
    return found


def test_one_tag_a_word_in_order(run, sentences, monkeypatch):
    transfer = Transfer.load(run, device="cpu")
    corpus = [[], *[line.split() for line in sentences], [], ["", "\u200b"], ["x" * 3000, "y"], " ".join(sentences).split(), []]
    tags = list(transfer.predict(corpus))
    assert [len(of) for of in tags] == [len(words) for words in corpus]
    assert tags == [one_by_one(transfer, words) for words in corpus]
    assert len({tag for of in tags for tag in of}) > 1
    assert 0 < transfer.unknown == transfer.counts.unknown / transfer.counts.pieces < 1
    monkeypatch.setattr(predict, "CHUNK_PIECES", 30)  # also in the middle of a sentence
    small = Transfer.load(run / "model.pt", device="cpu", batch_tokens=50)
    assert list(small.predict(iter(corpus))) == tags


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.text(max_size=5), max_size=8), max_size=12))
def test_any_words(run, corpus):
    transfer = Transfer.load(run, device="cpu")
    assert [len(tags) for tags in transfer.predict(corpus)] == [len(words) for words in corpus]


def test_sentences_are_not_read_ahead_without_end(run, monkeypatch):
    monkeypatch.setattr(predict, "CHUNK_PIECES", 100)
    read = []

    def corpus():
        for n in range(10_000):
            read.append(n)
            yield ["protein", "per", "day"]

    tags = Transfer.load(run, device="cpu").predict(corpus())
    assert len(next(tags)) == 3
    assert len(read) < 100


def test_fairseq_is_not_imported(run):
    code = (
        "import sys; from xlm_align_fairseq import Transfer;"
        f"print(list(Transfer.load({str(run)!r}, device='cpu').predict([['a', 'b']])));"
        "assert not [name for name in sys.modules if name.split('.')[0] in ('fairseq', 'transformers')]"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.count("'") == 4


def test_a_text_is_not_words(run):
    with pytest.raises(InputError, match="sentence 2 is the text 'a b'; allowed are words: split it"):
        list(Transfer.load(run, device="cpu").predict([["a"], "a b"]))


def test_the_settings_come_back(tmp_path):
    for written in (TagSettings(128, TEXT, ("B-ÄÖ", "O")), ClassSettings(64, TEXT, ("0", "1")), ANSWERS):
        write_settings(tmp_path, written)
        assert read_settings(tmp_path) == written


GOOD = {"schema": "xlm-align-transfer", "version": 2, "task": "token_labeling", "labels": list(TAGS), "window": 40, "text": TEXT}


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "allowed is"),
        ({"schema": "other"}, r"is of schema 'other', version 2; allowed is 'xlm-align-transfer', version 2: .*fine-tune again"),
        ({"version": 1}, "version 1; allowed is"),
        ({"version": True}, "version True; allowed is"),
        ({"task": "guessing"}, "task is 'guessing': allowed are token_labeling, pair_classification, span_extraction"),
        ({"task": ["x"]}, r"task is \['x'\]: allowed are"),
        ({"task": "pair_classification"}, r"the head has out.bias \(4,\), .*4 labels and a width of 32 are dense.bias"),
        ({"text": "0"}, "text is '0'"),
        ({"labels": []}, "labels is"),
        ({"labels": [1]}, "labels.0 is 1"),
        ({"labels": ["A", "A"]}, "the label 'A' is there twice"),
        ({"window": 3}, "window is 3"),
        ({"window": "40"}, "window is '40'"),
        ({"more": 1}, "has unknown fields: more"),
        ({"window": 41}, "says a window of 41 pieces, its encoder reads 40"),
        ({"labels": ["A", "B"]}, r"the head has out.bias \(4,\), out.weight \(4, 32\); 2 labels and a width of 32 are"),
    ],
)
def test_settings_are_checked(run, record, message):
    text = record if isinstance(record, str) else json.dumps(GOOD | record)
    (run / "transfer.json").write_text(text)
    with pytest.raises(InputError, match=message):
        Transfer.load(run, device="cpu")


def test_what_is_no_run(run):
    path = run / "model.pt"
    whole = torch.load(path, weights_only=True)
    bad = dict(whole["model"])
    bad["head.out.bias"] = torch.tensor([0, torch.nan, 0, 0])
    torch.save(whole | {"model": bad}, path)
    with pytest.raises(InputError, match=r"model.pt: head.out.bias has 1 of 4 numbers that are not finite"):
        Transfer.load(run, device="cpu")
    torch.save(whole | {"model": {key: value for key, value in bad.items() if not key.startswith("head.")}}, path)
    with pytest.raises(InputError, match=r"model.pt has no head: it was not fine-tuned"):
        Transfer.load(run, device="cpu")
    (run / "transfer.json").unlink()
    with pytest.raises(InputError, match=r"transfer.json is missing: fine-tuning writes it into --save-dir"):
        Transfer.load(run, device="cpu")
    with pytest.raises(InputError, match="no such directory"):
        Transfer.load(run / "nowhere", device="cpu")
