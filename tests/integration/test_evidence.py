"""Evidence of a corpus from the command line and from Python: in links, in labels, in training; kept, applied, refused."""

import json

import pytest
import torch
from evidences import write_made
from signatures import parse_signature
from world import SHIPPED, train, train_flags

from xlm_align_fairseq.aligner.aligner import Aligner
from xlm_align_fairseq.aligner.evidence import Evidence
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.em.evidence import CorpusEvidence
from xlm_align_fairseq.encoder.pieces import PieceEncoder
from xlm_align_fairseq.encoder.sequences import PieceBatch
from xlm_align_fairseq.encoder.vocabulary import UNK
from xlm_align_fairseq.links.pharaoh import parse_pharaoh, parse_probabilities, read_pharaoh

SOURCE, TARGET = ((SHIPPED / "de-en" / f"test.{side}").read_text("utf-8").splitlines()[:30] for side in ("de", "en"))
PAIRS = [(source.split(" "), target.split(" ")) for source, target in zip(SOURCE, TARGET, strict=True)]
DIAGONAL = [[(n, n) for n in range(min(map(len, pair)))] for pair in PAIRS]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """Evidence that links nothing but the diagonals of the text."""
    return write_made(tmp_path_factory.mktemp("evidence") / "de-en", PAIRS, DIAGONAL)


@pytest.fixture(scope="module")
def strange(tmp_path_factory):
    """Evidence of other languages."""
    return write_made(tmp_path_factory.mktemp("evidence") / "xx-yy", [(["qqq"], ["zzz"])], [[(0, 0)]])


@pytest.fixture
def align(world, tmp_path, capsys):
    (tmp_path / "de").write_text("".join(f"{line}\n" for line in SOURCE), "utf-8")
    (tmp_path / "en").write_text("".join(f"{line}\n" for line in TARGET), "utf-8")

    def run(*flags, out="out", code=0):
        text = ["--src", tmp_path / "de", "--tgt", tmp_path / "en", "--out", tmp_path / out]
        assert xlm_align(["align", "--model", *map(str, [world / "model", *text, "--quiet", *flags])]) == code
        said = capsys.readouterr().err
        return said if code else (tmp_path / out).read_text("utf-8").splitlines()

    return run


METHODS = [
    ["--similarity", "cosine"],
    ["--method", "softmax", "--similarity", "cosine", "--sinkhorn-temperature", "0.05", "--cutoff", "0.4"],
    ["--method", "entropic"],
    ["--method", "itermax"],
    ["--method", "argmax", "--also", "matching", "--combine", "union"],
    ["--encoding", "joint", "--method", "argmax"],
]


def agreement(lines):
    """Return how many links are on the diagonals."""
    return sum(len(set(parse_pharaoh(line)) & set(links)) for line, links in zip(lines, DIAGONAL, strict=True))


@pytest.mark.parametrize("flags", METHODS, ids=" ".join)
def test_links_follow_the_evidence(align, directory, flags):
    """With a large weight no other links are left where there is evidence."""
    plain, told = align(*flags), align(*flags, "--evidence", directory, "--evidence-weight", "10")
    known = sum(len(directions.to_target) for directions in Evidence.load(directory).links(PAIRS))
    assert agreement(told) > 0.8 * known > agreement(plain)
    assert align(*flags, "--evidence", directory, "--evidence-weight", "0") == plain


def test_windows_follow_it_too(align, directory):
    flags = ["--method", "argmax", "--window", "8"]
    plain, told = align(*flags), align(*flags, "--evidence", directory, "--evidence-weight", "10")
    assert agreement(told) > agreement(plain) + 20


def test_evidence_of_other_languages_changes_nothing_and_is_told_once(align, strange, tmp_path, world, capsys):
    flags = ["--format", "probabilities", "--method", "entropic"]
    plain = align(*flags)
    (tmp_path / "out").unlink()
    text = ["--src", str(tmp_path / "de"), "--tgt", str(tmp_path / "en"), "--out", str(tmp_path / "out"), "--quiet"]
    assert xlm_align(["align", "--model", str(world / "model"), *text, *flags, "--evidence", str(strange)]) == 0
    (warning,) = (line for line in capsys.readouterr().err.splitlines() if "evidence" in line)
    assert warning.startswith(
        "warning: the evidence knows 0% of the source words and 0% of the target words alone, and says nothing"
    )
    assert (tmp_path / "out").read_text("utf-8").splitlines() == plain


def test_no_batch_and_no_shard_changes_a_byte(align, directory):
    flags = ["--evidence", directory, "--evidence-weight", "0.3", "--format", "jsonl", "--threads", "1"]
    whole = align(*flags)
    assert align(*flags, "--batch-tokens", "50") == whole
    parts = [align(*flags, "--num-shards", "3", "--shard-id", n, out=f"part{n}") for n in range(3)]
    assert [line for part in parts for line in part] == whole
    assert align(*flags, "--line-buffered") == whole


def test_an_unfinished_run_goes_on_with_the_same_evidence_alone(align, world, directory, strange, tmp_path, monkeypatch):
    def killed(self, alignment):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("xlm_align_fairseq.cli.support.outputs.Output.write", killed)
        align("--evidence", directory, code=130)
    assert "evidence_weight was 0.06, now it is 0.1" in align(
        "--evidence", directory, "--evidence-weight", "0.1", "--resume", code=2
    )
    assert "aligner evidence was '" in align("--evidence", strange, "--resume", code=2)
    assert "evidence was '" in align("--resume", code=2)
    resumed = align("--evidence", directory, "--resume")
    assert resumed == align("--evidence", directory, out="other")


def test_flags_without_effect_are_refused(align, directory, tmp_path):
    assert "--evidence-weight 0.2: changes nothing without --evidence" in align("--evidence-weight", "0.2", code=2)
    assert "--evidence-weight) is 11.0: allowed is a number from 0 to 10" in align("--evidence-weight", "11", code=2)
    assert "has no evidence.json" in align("--evidence", tmp_path, code=2)


def test_signatures_name_it(world, directory, capsys):
    gold = [f"--{name}={SHIPPED / 'de-en' / file}" for name, file in (("src", "test.de"), ("tgt", "test.en"), ("gold", "gold"))]
    for flags, named in (([], False), (["--evidence", str(directory)], True)):
        assert xlm_align(["align", "--model", str(world / "model"), *gold, *flags]) == 0
        signature = parse_signature(capsys.readouterr().out.splitlines()[-1])
        assert ("evidence_weight" in signature, "evidence" in signature) == (named, named)
    assert signature["evidence"] == Evidence.load(directory).digest[:16]


def test_from_python(world, directory, align):
    aligner = Aligner.load(world / "model", "cpu", {"method": "argmax", "evidence_weight": 10.0}, evidence=directory)
    lines = align("--method", "argmax", "--evidence", directory, "--evidence-weight", "10")
    assert [str(aligner.align(*pair)) for pair in PAIRS] == lines
    aligner.evidence = None
    assert [str(alignment) for alignment in aligner.align_corpus(PAIRS)] == align("--method", "argmax")


# other text


def test_apply(align, directory, tmp_path, capsys):
    align()
    text = ["--src", str(tmp_path / "de"), "--tgt", str(tmp_path / "en"), "--quiet"]
    assert (
        xlm_align(["bootstrap", "--apply", str(directory), *text, "--format", "directions", "--out", str(tmp_path / "both")]) == 0
    )
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "30 pairs read"
    assert parse_signature(said[-1])["evidence"] == Evidence.load(directory).digest[:16]
    both = [line.split("\t") for line in (tmp_path / "both").read_text("utf-8").splitlines()]
    expected = Evidence.load(directory).links(PAIRS)
    for columns, directions in zip(both, expected, strict=True):
        for column, links in zip(columns, directions, strict=True):
            assert parse_probabilities(column) == {link: pytest.approx(value, abs=1e-4) for link, value in links.items()}
    assert (
        xlm_align(["bootstrap", "--apply", str(directory), *text, "--symmetrize", "intersection", "--out", str(tmp_path / "one")])
        == 0
    )
    for links, directions in zip(read_pharaoh(tmp_path / "one"), expected, strict=True):
        assert links == sorted(set(directions.to_target) & set(directions.to_source))


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--save", "x"], "--save x with --apply: nothing is learned"),
        (["--seed", "1"], "--seed 1 with --apply: nothing is drawn"),
        (["--format", "directions", "--symmetrize", "union"], "--symmetrize union with --format directions: they are not joined"),
    ],
)
def test_flags_that_do_not_go_with_apply(directory, capsys, flags, text):
    assert xlm_align(["bootstrap", "--apply", str(directory), "--pairs", "-", *flags]) == 2
    assert text in capsys.readouterr().err


def test_what_was_learned_is_kept_and_links_its_own_text_nearly_as_before(tmp_path, capsys):
    pytest.importorskip("thot.alignment")
    text = ["--tsv", str(SHIPPED / "de-en" / "train.tsv"), "--tokenizer", "13a", "--quiet", "--out"]
    assert xlm_align(["bootstrap", *text, str(tmp_path / "plain")]) == 0
    assert xlm_align(["bootstrap", *text, str(tmp_path / "learned"), "--save", str(tmp_path / "kept")]) == 0
    assert (tmp_path / "learned").read_bytes() == (tmp_path / "plain").read_bytes()
    assert xlm_align(["bootstrap", *text, str(tmp_path / "applied"), "--apply", str(tmp_path / "kept")]) == 0
    learned, applied = (read_pharaoh(tmp_path / name) for name in ("learned", "applied"))
    both = sum(len(set(a) & set(b)) for a, b in zip(learned, applied, strict=True))
    assert 2 * both / (sum(map(len, learned)) + sum(map(len, applied))) > 0.95  # measured: 0.991
    manifest = json.loads((tmp_path / "kept" / "evidence.json").read_text())
    assert (manifest["pairs"], manifest["dropped"]) == (490, {"blank side": 0, "too long": 0})
    capsys.readouterr()


# labels


def encoded(pieces, sentences):
    ids = [torch.from_numpy(pieces.words(words)[0]) for words in sentences]
    return torch.nn.utils.rnn.pad_sequence(ids, True, 1), torch.tensor([len(row) for row in ids])


def test_words_are_put_together_from_their_pieces(world, directory):
    """Where pieces are those of words, labels have the evidence that links of the words have."""
    aligner = Aligner.load(world / "model", "cpu", evidence=directory)
    pieces: PieceEncoder = aligner.pieces
    pairs = [pair for pair in PAIRS if not any(UNK in pieces.words(side)[0] for side in pair)][:9]
    assert len(pairs) > 5
    (source, n_source), (target, n_target) = (encoded(pieces, [pair[side] for pair in pairs]) for side in (0, 1))
    evidence = CorpusEvidence({"de-en": Evidence.load(directory)}, pieces.vocabulary.pieces)
    names = ["de-en"] * len(pairs)
    names[2] = "fr-en"  # has none
    directions = evidence.directions(PieceBatch(source, target, n_source, n_target), names)
    for n, (pair, name) in enumerate(zip(pairs, names, strict=True)):
        expected = torch.zeros_like(directions[n])
        (source_words, target_words) = (pieces.words(side)[1] for side in pair)
        for links in aligner.evidence.links([pair])[0] if name == "de-en" else ():
            for i, j in links:
                expected[torch.from_numpy(source_words == i).nonzero(), torch.from_numpy(target_words == j).nonzero().T] += 1
        assert torch.equal(directions[n], expected)
    assert directions.sum() > 100
    assert evidence.directions(PieceBatch(source, target, n_source, n_target), ["fr-en"] * len(pairs)) is None


def label(world, out, *flags):
    return xlm_align(
        ["label", "--model", str(world / "model"), "--data", str(world / "data"), "--out", str(out), "--quiet", *flags]
    )


def test_labels_name_their_evidence(world, directory, tmp_path, capsys):
    assert label(world, tmp_path / "plain") == 0
    assert label(world, tmp_path / "all", "--evidence", str(directory)) == 0
    assert label(world, tmp_path / "one", "--evidence", f"de-en={directory}", "--evidence-weight", "2") == 0
    said = capsys.readouterr().err
    assert "fr-en: no evidence, its labels are the encoder's alone" in said
    manifests = {name: json.loads((tmp_path / name / "labels.train.json").read_text()) for name in ("plain", "all", "one")}
    digest = Evidence.load(directory).digest[:16]
    signatures = {name: parse_signature(manifest["aligner"]) for name, manifest in manifests.items()}
    assert "evidence" not in signatures["plain"]
    assert (signatures["all"]["evidence"], signatures["one"]["evidence"]) == (digest, f"de-en={digest}")
    assert (signatures["all"]["evidence_weight"], signatures["one"]["evidence_weight"]) == ("0.06", "2.0")
    hashes = {name: {pair: of["sha256"]["bin"] for pair, of in manifest["pairs"].items()} for name, manifest in manifests.items()}
    assert hashes["one"]["fr-en"] == hashes["plain"]["fr-en"]
    assert hashes["one"]["de-en"] != hashes["plain"]["de-en"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("es-en={}", "--evidence es-en=…: the corpus has de-en, fr-en; name one of these"),
        ("de-en={},de-en={}", "allowed are a directory, or one for each language pair, as de-en=DIR,fr-en=DIR2"),
        ("de-en=", "allowed are a directory, or one for each language pair"),
        ("nowhere", "nowhere has no evidence.json"),
    ],
)
def test_evidence_that_cannot_be_used_is_refused(world, directory, tmp_path, capsys, value, text):
    assert label(world, tmp_path / "out", "--evidence", value.format(directory, directory)) == 2
    assert text in capsys.readouterr().err


def test_training_labels_with_it(world, directory, strange, tmp_path, caplog):
    """Online labels and labels of a pass are the same; evidence of other languages changes no bit, and is told."""
    flags = ["--encoding", "separate", "--label-method", "argmax", "--max-update", "3"]
    plain = train(caplog, train_flags(world, tmp_path / "plain", *flags))
    flags += ["--evidence", f"de-en={directory}", "--evidence-weight", "5"]
    online = train(caplog, train_flags(world, tmp_path / "online", *flags))
    assert "fr-en: no evidence, its labels are the encoder's alone" in caplog.messages
    periodic = train(caplog, train_flags(world, tmp_path / "periodic", *flags, "--label-schedule", "updates:1"))
    assert [log["dwa_loss"] for log in periodic] == [log["dwa_loss"] for log in online] != [log["dwa_loss"] for log in plain]
    manifest = json.loads((tmp_path / "periodic" / "labels" / "em_iter_0001" / "labels.train.json").read_text())
    assert parse_signature(manifest["aligner"])["evidence"].startswith("de-en=")
    flags[-3:] = [str(strange), "--evidence-weight", "5"]
    assert train(caplog, train_flags(world, tmp_path / "strange", *flags)) == plain


@pytest.mark.parametrize(
    ("flags", "text"),
    [
        (["--evidence-weight", "1"], "--evidence-weight 1.0: changes nothing without --evidence"),
        (["--evidence", "{}", "--label-method", "pointer"], "--evidence: changes nothing where the pointer alone makes links"),
        (
            ["--evidence", "{}", "--label-schedule", "fixed", "--initial-labels", "x"],
            "--evidence: --label-schedule fixed makes no",
        ),
    ],
)
def test_training_flags_without_effect(world, directory, tmp_path, caplog, flags, text):
    from xlm_align_fairseq.errors import InputError

    with pytest.raises(InputError, match=text):
        train(caplog, train_flags(world, tmp_path, *(flag.format(directory) for flag in flags)))
