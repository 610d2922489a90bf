"""`xlm-align retrieve`: accuracy, predictions, layers, vectors, mining, and what is refused."""

import json

import numpy as np
import pytest

from xlm_align_fairseq.cli import evaluate
from xlm_align_fairseq.cli.main import main
from xlm_align_fairseq.model.directory import write_model
from xlm_align_fairseq.transfer import SentenceEncoder
from xlm_align_fairseq.transfer.retrieval_files import read_candidates, read_id_pairs, read_indices
from xlm_align_fairseq.transfer.retrieval_search import nearest


@pytest.fixture
def files(tmp_path, monkeypatch, make_model, sentences):
    """A random model, and files of two languages: of the target side, line 4 is that of line 3 again."""
    monkeypatch.chdir(tmp_path)
    write_model(tmp_path / "model", make_model())
    lines = [line.strip() for line in sentences[:12]]
    other = [" ".join(line.split()[1:] or [line]) for line in lines]
    other[4] = other[3]
    content = {
        "src": lines,
        "tgt": other,
        "short": lines[:3],
        "odd": ["", lines[0] * 9, "a"],
        "back": [f"{n}" for n in (1, 0, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)],
        "far": ["12"] * 12,
        "mine.src": [f"s-{n}\t{line}" for n, line in enumerate([*lines, lines[0]])],
        "mine.tgt": [f"t-{n}\t{line}" for n, line in enumerate(other[::-1])],
        "mine.gold": [f"s-{n}\tt-{11 - n}" for n in range(12)],
        "none.gold": ["s-0\tx"],
        "empty": [],
    }
    for name, rows in content.items():
        (tmp_path / name).write_text("".join(f"{row}\n" for row in rows), "utf-8")
    return lines, other


BASE = ["--model", "model", "--device", "cpu", "--samples", "50", "--quiet"]
BOTH = ["--src", "src", "--tgt", "tgt"]


def retrieve(capsys, *flags):
    code = main(["retrieve", *BASE, *flags])
    return code, *capsys.readouterr()


def report(capsys, *flags):
    code, out, _ = retrieve(capsys, *flags, "--json")
    assert code == 0
    return json.loads(out)


def test_all_layers_equal_one_by_one(files, capsys):
    every = report(capsys, *BOTH, "--all-layers")
    assert list(every["scores"]) == ["0", "1", "2", "3"]
    one = report(capsys, *BOTH, "--layer", "1")
    assert one["scores"] == {"1": every["scores"]["1"]}
    assert report(capsys, *BOTH)["scores"] == {"2": every["scores"]["2"]}  # two thirds of three
    encoder = SentenceEncoder.load("model", "cpu")
    source, target = (encoder.encode(side, [1])[1] for side in files)
    assert one["scores"]["1"]["forward"]["accuracy"]["value"] == 100 * np.mean(nearest(source, target) == np.arange(12))
    counts = every["scores"]["3"]["forward"]["counts"]
    assert counts["same_text"] == 1  # line 4 finds line 3, which has its text
    assert counts["all"] == every["files"]["src"]["lines"] == 12
    assert "layer:all|pooling:with-specials|score:cosine|samples:50" in every["signature"]


def test_the_table(files, capsys):
    code, out, err = retrieve(capsys, *BOTH, "--layer", "3", "--without-specials", "--score", "margin", "--k", "2")
    assert code == 0
    assert "12       0.00  src" in out or "pieces are unknown" in err
    assert "layer  forward %                 same text %  backward %                same text %" in out
    assert out.endswith("samples:50|seed:12345|version:0.1.0\n")
    assert "pooling:without-specials|score:margin|k:2" in out


def test_predictions_score_the_same_through_evaluate(files, capsys):
    found = report(capsys, *BOTH, "--direction", "backward", "--gold", "back", "--out", "found")
    assert list(found["scores"]["2"]) == ["backward"]
    assert len(read_indices("found")) == 12
    assert evaluate.main(["--task", "tatoeba", "--gold", "back", "--predictions", "found", "--samples", "9", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)["scores"]["accuracy"]["value"]
    assert value == found["scores"]["2"]["backward"]["accuracy"]["value"]


def test_lines_that_do_not_belong_together_are_searched_and_not_scored(files, capsys):
    flags = ["--src", "short", "--tgt", "tgt", "--not-parallel", "--direction", "backward"]
    code, out, err = retrieve(capsys, *flags, "--out", "-")
    assert code == 0
    assert len(out.splitlines()) == 12  # as many as ask
    assert "searched and not scored" in err
    assert "|score:cosine|" in err


def test_the_layer_is_chosen_on_development_pairs(files, capsys):
    found = report(capsys, "--choose-layer", "src", "tgt", "tgt", "src", *BOTH)
    means = found["development"]["means"]
    every = report(capsys, *BOTH, "--all-layers")["scores"]
    wanted = {layer: np.mean([row[way]["accuracy"]["value"] for way in row]) for layer, row in every.items()}
    assert means == pytest.approx(wanted)
    best = max(wanted, key=lambda layer: (wanted[layer], -int(layer)))
    assert list(found["scores"]) == [best]
    code, out, _ = retrieve(capsys, "--choose-layer", "src", "tgt")
    assert code == 0
    assert out.count("  best") == 1


def test_vectors_are_exported(files, capsys):
    assert (
        retrieve(capsys, "--src", "src", "--tgt", "short", "--export", "a.npy", "b.npy", "--not-parallel", "--layer", "3")[0] == 0
    )
    vectors = SentenceEncoder.load("model", "cpu").encode(files[0], [0, 1, 2, 3])
    np.testing.assert_array_equal(np.load("a.npy"), vectors[3])
    np.testing.assert_allclose(np.load("b.npy"), vectors[3][:3], rtol=1e-5, atol=1e-6)
    assert retrieve(capsys, "--src", "src", "--export", "a.npy", "--all-layers")[0] == 0
    np.testing.assert_array_equal(np.load("a.npy"), np.stack(list(vectors.values())))


def test_odd_lines_are_said(files, capsys):
    code, _, err = retrieve(capsys, "--src", "odd", "--export", "a.npy")
    assert code == 0
    assert "odd: 1 of 3 lines are empty; each has a vector all the same" in err
    assert "odd: 1 of 3 lines are longer than the encoder reads, and were read in windows" in err
    assert np.load("a.npy").shape == (3, 32)


def test_mining_from_development_to_test(files, capsys):
    pair = ["--mine", "--src", "mine.src", "--tgt", "mine.tgt"]
    found = report(capsys, *pair, "--gold", "mine.gold", "--out", "candidates")
    assert "mine.src: 1 sentences stand there again; each is mined once, under its first id" in found["notes"]
    assert found["files"]["mine.tgt"]["lines"] == 11
    candidates = read_candidates("candidates")
    assert len(candidates) == found["candidates"]
    assert (
        evaluate.main(["--task", "bucc", "--gold", "mine.gold", "--predictions", "candidates", "--samples", "9", "--json"]) == 0
    )
    scored = json.loads(capsys.readouterr().out)
    assert scored["threshold"] == found["threshold"]
    for name in ("f1", "precision", "recall"):
        assert scored["scores"][name]["value"] == found["scores"][name]["value"]
    threshold = repr(found["threshold"])
    code, out, _ = retrieve(capsys, *pair, "--threshold", threshold, "--out", "pairs")
    assert code == 0
    assert f"{found['pairs']} of them have the threshold" in out
    assert len(read_id_pairs("pairs")) == found["pairs"] == sum(one.score >= found["threshold"] for one in candidates)


REFUSED = [
    ([], "--src is missing: give the sentences, or --choose-layer"),
    (["--src", "src"], "--tgt is missing"),
    (["--src", "src", "--export", "a.npy", "--gold", "back"], "--tgt is missing"),
    (["--choose-layer", "src", "tgt", "--tgt", "tgt"], "--tgt is without --src"),
    (["--choose-layer", "src"], "--choose-layer has an odd number of files"),
    (["--src", "src", "--export", "a.npy", "b.npy"], "--export has too many files"),
    ([*BOTH, "--threshold", "1"], "--threshold is of --mine"),
    ([*BOTH, "--k", "3"], "--k is of --score margin"),
    ([*BOTH, "--out", "o"], "--out has one line for each line that asks: give --direction"),
    ([*BOTH, "--gold", "back"], "--gold has the answers of one direction"),
    ([*BOTH, "--gold", "back", "--not-parallel"], "--gold and --not-parallel contradict each other"),
    ([*BOTH, "--not-parallel"], "--not-parallel scores nothing"),
    ([*BOTH, "--all-layers", "--out", "o", "--direction", "forward"], "--out needs one layer"),
    ([*BOTH, "--mine"], "--mine needs --out for the pairs, or --gold"),
    ([*BOTH, "--mine", "--gold", "mine.gold"], "src:1: 'How much protein per day?' is no id, a tab and a sentence"),
    (["--src", "src", "--tgt", "short"], "short: 3 lines, but 12 in src"),
    (["--src", "src", "--tgt", "empty", "--not-parallel", "--export", "a.npy"], "empty has no lines"),
    ([*BOTH, "--layer", "4"], "layer 4: allowed are 0 (the embeddings) to 3"),
    ([*BOTH, "--score", "margin", "--k", "13"], "13 neighbours of 12 sentences"),
    ([*BOTH, "--gold", "short", "--direction", "forward"], "short:1: 'How much protein per day?' is no line number"),
    ([*BOTH, "--gold", "far", "--direction", "forward"], "far:1: the line 12; tgt has 0 to 11"),
    ([*BOTH, "--out", "src", "--direction", "forward"], "--out src"),
    (["--src", "no", "--tgt", "tgt"], "no: cannot read the file"),
    ([*BOTH, "--samples", "0"], "samples"),
    (
        ["--mine", "--src", "mine.src", "--tgt", "mine.tgt", "--gold", "none.gold"],
        "none.gold: no candidate is one of these pairs",
    ),
]


@pytest.mark.parametrize(("flags", "said"), REFUSED, ids=[said[:40] for _, said in REFUSED])
def test_what_is_refused(files, capsys, flags, said):
    code, _, err = retrieve(capsys, *flags)
    assert code == 2
    assert said in err
    assert "Traceback" not in err
