"""Tests of ``xlm-align score``: the numbers printed, the files written, the refusals."""

import io
import json
import os
import subprocess
import sys
import threading
import tracemalloc
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from signatures import parse_signature

from xlm_align_fairseq.cli import score
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.links.gold import null_warning
from xlm_align_fairseq.version import __version__

ROOT = Path(__file__).resolve().parents[3]

# By hand for "hyp": |A| = 3, |S| = 3, |P| = 4, |A & S| = 1, |A & P| = 2:
# AER = 1 - 3/6 = 50 %, precision = 2/3, recall = 1/3, F1 = 4/9.
FILES = {
    "gold": "1 1 1 S\n1 2 2 S\n2 1 1 S\n2 1 2 P\n",
    "gold.pharaoh": "0-0 1-1\n0-0 0p1\n",
    "gold.pharaoh1": "1-1 2-2\n1-1 1p2\n",
    "hyp": "0-0 1-0\n0-1\n",
    "hyp1": "1-1 2-1\n1-2\n",
    "swapped": "0-0 0-1\n1-0\n",
    "perfect": "0-0 1-1\n0-0 0-1\n",
    "sure": "0-0:0.9 1-0:0.2\n0-1:0.5\n",
    "sure1": "1-1:0.9 1-2:0.2\n2-1:0.5\n",  # 1-based, target-source
    "empty": "\n\n",
    "src": "ein Haus\nja\n",
    "tgt": "a house\nyes yes\n",
}


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    for name, content in FILES.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_json(capsys, *argv):
    assert score.main([*argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_numbers_worked_by_hand(capsys):
    report = run_json(capsys, "--gold", "gold", "hyp")
    (system,) = report["systems"]
    assert system["counts"] == {
        "hypothesis": 3, "sure": 3, "possible": 4, "hypothesis_sure": 1, "hypothesis_possible": 2, "sentences": 2,
    }  # fmt: skip
    assert system["aer"] == pytest.approx(50)
    assert system["precision"] == pytest.approx(200 / 3)
    assert system["recall"] == pytest.approx(100 / 3)
    assert system["f1"] == pytest.approx(400 / 9)
    # Two sentence pairs with AER 1/2 each: every sample has the same rate.
    assert system["aer_interval"] == pytest.approx([50, 50])
    assert report["paired"] == []
    assert report["sentences_without_gold"] == 0


@pytest.mark.parametrize(
    "argv",
    [
        ["--gold", "gold.pharaoh", "hyp"],
        ["--gold", "gold.pharaoh1", "--gold-one-based", "hyp"],
        ["--gold", "gold", "--one-based", "hyp1"],
        ["--gold", "gold", "--swap", "swapped"],
        ["--gold", "gold", "--src", "src", "--tgt", "tgt", "hyp"],
    ],
)
def test_formats_bases_and_directions_give_the_same_counts(capsys, argv):
    expected = run_json(capsys, "--gold", "gold", "hyp")["systems"][0]["counts"]
    assert run_json(capsys, *argv)["systems"][0]["counts"] == expected


def test_signature_names_what_can_change_the_output(capsys):
    first = run_json(capsys, "--gold", "gold", "hyp")["signature"]
    assert parse_signature(first) == {
        "metric": "aer", "sentences": "2", "gold": "rows", "ids": "order", "gold_base": "1", "base": "0",
        "swap": "no", "samples": "1000", "seed": "12345", "version": __version__,
    }  # fmt: skip
    argv = ["--gold", "gold.pharaoh", "--swap", "--one-based", "hyp1", "--samples", "10", "--seed", "1"]
    second = parse_signature(run_json(capsys, *argv)["signature"])
    assert {key: second[key] for key in ("gold", "ids", "gold_base", "base", "swap", "samples", "seed")} == {
        "gold": "pharaoh", "ids": "none", "gold_base": "0", "base": "1", "swap": "yes", "samples": "10", "seed": "1",
    }  # fmt: skip


def test_tables(capsys):
    assert score.main(["--gold", "gold", "hyp", "perfect"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 sentence pairs, 0 of them without gold links"
    assert lines[2].split() == ["hyp", "50.00", "[50.00,", "50.00]", "66.7", "33.3", "44.4", "3", "3", "4"]
    assert lines[3].split() == ["perfect", "0.00", "[0.00,", "0.00]", "100.0", "100.0", "100.0", "4", "3", "4"]
    assert lines[5].startswith("AER minus that of hyp")
    assert lines[7].split()[:4] == ["perfect", "-50.00", "[-50.00,", "-50.00]"]
    assert lines[-1].startswith("metric:aer|sentences:2|")


def test_pairs_are_compared_with_the_first_system(capsys):
    report = run_json(capsys, "--gold", "gold", "perfect", "hyp", "perfect", "--samples", "99")
    assert [test["name"] for test in report["paired"]] == ["hyp", "perfect"]
    assert [test["difference"] for test in report["paired"]] == pytest.approx([50, 0])
    assert [test["p_value"] for test in report["paired"]] == [0.01, 1.0]


def test_output_is_the_same_each_time(capsys):
    outputs = []
    for _ in range(2):
        score.main(["--gold", "gold", "hyp", "perfect", "--samples", "50"])
        outputs.append(capsys.readouterr().out)
    assert outputs[0] == outputs[1] != ""


def test_standard_input_is_a_hypothesis(capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(FILES["hyp"].encode())))
    report = run_json(capsys, "--gold", "gold", "perfect", "-")
    assert [system["name"] for system in report["systems"]] == ["perfect", "<stdin>"]
    assert report["systems"][1]["aer"] == pytest.approx(50)


@pytest.mark.parametrize("flags", [[], ["--curve"], ["--src", "src", "--tgt", "tgt"]])
def test_every_text_may_be_a_pipe(capsys, files, flags):
    """A pipe can be read but once, and lines are counted before they are read."""
    argv = ["--gold", "gold", "sure", *flags]
    expected = run_json(capsys, *argv)
    names = [name for name in ("sure", "src", "tgt") if name in argv]
    writers = []
    for name in names:
        os.mkfifo(files / f"{name}.pipe")
        writers.append(threading.Thread(target=(files / f"{name}.pipe").write_bytes, args=(FILES[name].encode(),)))
        writers[-1].start()
    found = run_json(capsys, *(f"{name}.pipe" if name in names else name for name in argv))
    for writer in writers:
        writer.join()
    assert found == {**expected, "systems": [{**expected["systems"][0], "name": "sure.pipe"}]}


@pytest.mark.parametrize("flags", [[], ["--curve"]])
@pytest.mark.parametrize("form", ["rows", "pharaoh"])
def test_memory_grows_by_the_counts_and_the_gold(capsys, files, flags, form):
    """9 bytes a link of gold, some 100 a sentence, and with a curve 9 a link more; not objects for each link."""
    links, peaks = 20, {}
    for n_lines in (10, 500, 2500):  # with the first, what is imported
        line = " ".join(f"{k}-{k}:0.{k + 10}" for k in range(links))
        (files / "many").write_text(f"{line}\n" * n_lines)
        rows = "".join(f"{{}} {k} {k}\n" for k in range(1, links + 1))
        pharaoh = " ".join(f"{k}-{k}" for k in range(links))
        gold = f"{pharaoh}\n" * n_lines if form == "pharaoh" else "".join(rows.format(*[n] * links) for n in range(n_lines))
        (files / "gold").write_text(gold)
        tracemalloc.start()
        assert score.main(["many", "--gold", "gold", "--samples", "1", *flags]) == 0
        peaks[n_lines] = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    per_line = (peaks[2500] - peaks[500]) / 2000
    assert per_line < (1000 if form == "rows" else 500) + (1000 if flags else 0)  # it was 7800, and 10900 with a curve
    assert "AER" in capsys.readouterr().out


def test_rows_of_null_are_said(capsys, files):
    (files / "gold").write_text(FILES["gold"] + "2 0 1 S\n2 2 0 P 0.5\n")
    plain = run_json(capsys, "--gold", "gold", "hyp")
    assert score.main(["--gold", "gold", "hyp", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == plain
    assert err == "warning: " + null_warning("gold", 2)[0] + "\n"
    (files / "gold").write_text(FILES["gold"])
    assert run_json(capsys, "--gold", "gold", "hyp") == plain


def test_per_sentence_rows_add_up_to_the_corpus(capsys, files):
    report = run_json(capsys, "--gold", "gold", "hyp", "perfect", "--per-sentence", "out.tsv")
    lines = (files / "out.tsv").read_text(encoding="utf-8").split("\n")
    assert lines[:3] == [
        f"# xlm-align-per-sentence.1 {report['signature']}",
        "# system 1 is 'hyp'",
        "# system 2 is 'perfect'",
    ]
    header, rows = lines[3].split("\t"), [line.split("\t") for line in lines[4:-1]]
    assert lines[-1] == ""
    assert rows[0] == ["1", "1", "2", "2", "2", "1", "1", "50.00"]
    assert [row[:2] for row in rows] == [["1", "1"], ["1", "2"], ["2", "1"], ["2", "2"]]
    for column, name in list(enumerate(header))[2:-1]:
        for k, system in enumerate(report["systems"], 1):
            assert sum(int(row[column]) for row in rows if row[0] == str(k)) == system["counts"][name]


def test_sentences_without_gold_are_counted_and_named(capsys, files):
    (files / "hyp").write_text("0-0\n0-0\n\n", encoding="utf-8")
    report = run_json(capsys, "--gold", "gold", "hyp")
    assert report["sentences_without_gold"] == 1
    assert parse_signature(report["signature"])["ids"] == "lines"


def test_curve_worked_by_hand(capsys):
    # Of "hyp", 1-0 (wrong) goes above 0.2, 0-1 (possible) above 0.5, 0-0 (sure) above 0.9.
    report = run_json(capsys, "--gold", "gold", "sure", "--curve")
    (system,) = report["systems"]
    assert [row["threshold"] for row in system["curve"]] == [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99]
    assert [row["links"] for row in system["curve"]] == [3, 3, 3, 2, 2, 2, 1, 1, 1, 1, 0, 0]
    third = [100, 100 / 3, 50, 40]  # of 0-0 and 0-1: precision 2/2, recall 1/3, F1 1/2, AER 1 - 3/5
    assert [system["curve"][3][key] for key in ("precision", "recall", "f1", "aer")] == pytest.approx(third)
    assert system["lowest_aer_at"] == 0.3  # the first of three


def test_a_curve_begins_at_the_plain_score(capsys):
    plain = run_json(capsys, "--gold", "gold", "sure")
    report = run_json(capsys, "--gold", "gold", "sure", "--thresholds", "0")
    (system,) = report["systems"]
    (row,) = system["curve"]
    assert row["links"] == plain["systems"][0]["counts"]["hypothesis"]
    assert {key: row[key] for key in ("aer", "precision", "recall", "f1")} == {
        key: plain["systems"][0][key] for key in ("aer", "precision", "recall", "f1")
    }
    assert report["signature"] == plain["signature"]
    assert "curve" not in plain["systems"][0]


def test_bases_and_directions_give_the_same_curve(capsys):
    expected = run_json(capsys, "--gold", "gold", "sure", "--curve")["systems"][0]["curve"]
    found = run_json(capsys, "--gold", "gold", "sure1", "--one-based", "--swap", "--curve")["systems"][0]["curve"]
    assert found == expected


def test_curve_tables(capsys):
    assert score.main(["--gold", "gold", "sure", "empty", "--thresholds", "0.95,0.5,.20,0.5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    start = lines.index("sure: links with at least the probability of a threshold")
    assert lines[start + 1].split() == ["threshold", "links", "precision", "%", "recall", "%", "F1", "%", "AER", "%"]
    assert [line.split() for line in lines[start + 2 : start + 5]] == [
        ["0.2", "3", "66.7", "33.3", "44.4", "50.00"],
        ["0.5", "2", "100.0", "33.3", "50.0", "40.00", "*", "lowest", "AER"],
        ["0.95", "0", "100.0", "0.0", "0.0", "100.00"],
    ]
    assert lines[start + 5 : start + 7] == ["", "empty: links with at least the probability of a threshold"]
    assert lines[-1].startswith("metric:aer|sentences:2|")


def test_curve_plot(capsys, files):
    argv = ["--gold", "gold", "sure", "empty", "--curve-plot", "out.svg"]
    assert score.main(argv) == 0
    assert "sure: links with at least" in capsys.readouterr().out  # --curve is implied
    first = (files / "out.svg").read_bytes()
    root = ElementTree.fromstring(first)
    texts = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"recall %", "precision %", "sure", "empty"} <= set(texts)
    assert {"0–0.2", "0.3–0.5", "0.6–0.9"} <= set(texts)  # the thresholds that keep the same links
    notes = [node.text for node in root.iter("{http://www.w3.org/2000/svg}title")]
    assert notes[1] == "threshold 0.3–0.5: 2 links, recall 33.3 %, precision 100.0 %, AER 40.00 %"
    score.main(argv)
    assert (files / "out.svg").read_bytes() == first


def test_curve_plot_without_matplotlib(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(InputError, match=r'matplotlib, which is missing; install it: pip install "xlm-align-fairseq\[plot\]"'):
        score.main(["--gold", "gold", "sure", "--curve-plot", "out.svg", "--per-sentence", "out"])
    assert not {"out.svg", "out"} & {path.name for path in files.iterdir()}
    assert score.main(["--gold", "gold", "sure", "--curve"]) == 0


@pytest.mark.parametrize("flag", ["--per-sentence", "--curve-plot"])
@pytest.mark.parametrize("name", ["sure", "gold", "src", "tgt"])
def test_an_input_is_not_overwritten(files, flag, name):
    (files / "out.svg").symlink_to(name)
    with pytest.raises(InputError) as error:
        score.main(["--gold", "gold", "perfect", "sure", "--src", "src", "--tgt", "tgt", flag, "./out.svg"])
    assert str(error.value).startswith(f"{flag} ./out.svg is one of the inputs")
    assert (files / name).read_text(encoding="utf-8") == FILES[name]


def test_standard_input_is_not_overwritten(files):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    code = "from xlm_align_fairseq.cli import score; score.main(['--gold', 'gold', '-', '--per-sentence', 'hyp'])"
    with open(files / "hyp") as stdin:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, stdin=stdin, capture_output=True, text=True, check=False
        )
    assert "--per-sentence hyp is one of the inputs" in done.stderr
    assert (files / "hyp").read_text(encoding="utf-8") == FILES["hyp"]


@pytest.mark.parametrize(
    ("change", "argv", "message"),
    [
        ({"hyp": "0-0\n"}, ["perfect", "hyp"], "hyp: 1 lines, but 2 lines in perfect; line n of every file is"),
        ({"hyp": "0-0\n"}, ["--src", "src", "--tgt", "tgt", "hyp"], "hyp: 1 lines, but 2 lines in src; "),
        ({"tgt": "a\n"}, ["--src", "src", "--tgt", "tgt", "hyp"], "tgt: 1 lines, but 2 lines in src; "),
        ({"hyp": "0-0\n"}, ["hyp"], "gold: 2 distinct ids from 1 to 2 do not fit the 1 lines in hyp; "),
        ({"gold": "0-0\n"}, ["hyp"], "gold: 1 lines, but 2 lines in hyp; "),
        ({"hyp": "0-0\n0+1\n"}, ["hyp"], "hyp:2: '0+1' is not a link; "),
        (
            {"hyp": "0-0\n1-0\n"},
            ["--src", "src", "--tgt", "tgt", "hyp"],
            "hyp:2: link 1-0 (0-based) is out of range: 1 s",
        ),
        (
            {"src": "ein Haus\n\n"},
            ["--src", "src", "--tgt", "tgt", "hyp"],
            "gold: sentence pair 2: link 0-0 (0-based) is",
        ),
        ({"gold": ""}, ["hyp"], "gold: the gold file is empty; "),
        ({"gold": "\n\n"}, ["hyp"], "gold: no gold links in 2 sentence pairs; "),
        ({}, ["absent"], "absent: cannot read the file (No such file or directory); "),
        ({}, ["hyp", "--samples", "0"], "bootstrap samples: 0; allowed is 1 or more"),
        ({}, ["hyp", "--per-sentence", "no/where"], "--per-sentence no/where: cannot write the file"),
        ({}, ["sure", "--curve-plot", "no/where.svg"], "--curve-plot no/where.svg: cannot write the file"),
        ({}, ["hyp", "--curve"], "hyp:1: link 0-0 (0-based) has no probability; allowed are links like 3-4:0.98, as `xlm-align"),
        ({"sure": "0-0:0.9\n0-0\n"}, ["sure", "--thresholds", "0.5"], "sure:2: link 0-0 (0-based) has no probability; "),
        ({}, ["sure", "--thresholds", "0.5,x"], "--thresholds 0.5,x: 'x'; allowed are numbers 0..1 separated by commas"),
        ({}, ["sure", "--thresholds", "1.5"], "--thresholds 1.5: '1.5'; allowed are"),
        ({}, ["sure", "--thresholds", "nan"], "--thresholds nan: 'nan'; allowed are"),
        ({}, ["sure", "--thresholds", ""], "--thresholds : ''; allowed are"),
    ],
)
def test_refusals(files, change, argv, message):
    for name, content in change.items():
        (files / name).write_text(content, encoding="utf-8")
    with pytest.raises(InputError) as error:
        score.main(["--gold", "gold", *argv])
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--gold", "gold", "hyp", "--src", "src"], "--src and --tgt go together"),
        (["--gold", "gold", "-", "-"], "standard input (-) can be given as HYP only once"),
        (["hyp"], "the following arguments are required: --gold"),
        (
            ["--gold", "gold", "sure", "--curve-plot", "x.png"],
            "--curve-plot x.png: the plot is SVG, give a file whose name ends in",
        ),
    ],
)
def test_flags_that_do_not_go_together(capsys, argv, message):
    with pytest.raises(SystemExit) as error:
        score.main(argv)
    assert error.value.code == 2
    assert message in capsys.readouterr().err


def test_help_names_units_and_defaults(capsys):
    with pytest.raises(SystemExit) as error:
        score.main(["--help"])
    assert error.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "(default: 1000)" in text
    assert "(default: 12345)" in text
    assert "percent" in text


def test_numpy_waits_for_parsing_and_torch_is_never_needed():
    code = (
        "import sys\n"
        "from xlm_align_fairseq.cli import score\n"
        "score.parser()\n"
        "heavy = {'numpy', 'torch', 'fairseq', 'sacrebleu', 'matplotlib'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
        "score.main(['--gold', 'gold', 'hyp'])\n"
        "assert heavy & set(sys.modules) == {'numpy'}, heavy & set(sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_two_outputs_in_one_file_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("gold", "hyp"):
        (tmp_path / name).write_text("0-0\n")
    with pytest.raises(InputError, match=r"--per-sentence and --curve-plot both write .*a\.svg; give each a file of its own"):
        score.main(["--gold", "gold", "hyp", "--per-sentence", "a.svg", "--curve-plot", str(tmp_path / "a.svg")])
    assert not Path("a.svg").exists()


def test_gold_from_standard_input(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "hyp").write_text("0-0\n")
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"0-0 1p1\n")))
    assert score.main(["--gold", "-", "hyp", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["systems"][0]["recall"] == 100
