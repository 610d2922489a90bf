"""The files beside this repository that the published scripts have written, and the numbers that the published programs give."""

import json
from pathlib import Path

import numpy as np
import pytest

from xlm_align_fairseq.cli import evaluate
from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.layout import data_files, languages
from xlm_align_fairseq.transfer.pairs import check_classes, read_class_lines, read_pairs, write_classes
from xlm_align_fairseq.transfer.questions import check_answers, check_ids, read_answers, read_questions, write_answers
from xlm_align_fairseq.transfer.retrieval_files import read_id_pairs, read_identified, read_indices, read_translations
from xlm_align_fairseq.transfer.retrieval_scores import score_indices
from xlm_align_fairseq.transfer.retrieval_search import nearest
from xlm_align_fairseq.transfer.tag_checks import check_tags, read_predictions, read_tag_lines, unknown_tags
from xlm_align_fairseq.transfer.tags import read_tagged, write_tags
from xlm_align_fairseq.transfer.tasks import TASKS

CASES = Path(__file__).resolve().parents[3].parent / "shared" / "data" / "transfer" / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="shared/data/transfer is not beside the repository")
DOWNLOAD = CASES / "download"
EXPECTED = json.loads((CASES / "download.expected.json").read_text("utf-8")) if CASES.is_dir() else {}
SCORES = json.loads((CASES / "score" / "expected.json").read_text("utf-8")) if CASES.is_dir() else {}


def files(*folders):
    return [pytest.param(folder, name, id=f"{folder}/{name}") for folder in folders for name in EXPECTED.get(folder, {})]


def count_lines(path):
    return path.read_bytes().count(b"\n")


@pytest.mark.parametrize(("folder", "name"), files("udpos", "panx"))
def test_tags(folder, name, tmp_path):
    path, expected = DOWNLOAD / folder / name, EXPECTED[folder][name]
    file = read_tagged(path)
    tags = sorted({tag for sentence in file.gold() for tag in sentence}) if file.has_tags else None
    found = {"lines": file.n_words + len(file.blank), "sentences": len(file.sentences), "words": file.n_words, "labels": tags}
    assert found == expected
    predicted = [["X"] * len(sentence.words) for sentence in file.sentences]
    write_tags(tmp_path / name, file, predicted)
    lines = path.read_text("utf-8").removesuffix("\n").split("\n")
    assert [line == "" for line in (tmp_path / name).read_text("utf-8").split("\n")[:-1]] == [line == "" for line in lines]
    labels = CASES / "download.labels" / folder / name
    if labels.exists():
        assert read_predictions(tmp_path / name, read_tag_lines(labels)) == predicted
        assert {tag for tags in read_tag_lines(labels).gold() for tag in tags} <= {*TASKS["pos"].labels, *TASKS["ner"].labels}


@pytest.mark.parametrize("name", ["de-train", "de-dev", "de-test", "en-train", "en-dev", "en-test"])
def test_wikiann_as_published_is_what_xtreme_has(name):
    language, split = name.split("-")
    original, ours = read_tagged(CASES / "original" / "panx" / name), read_tagged(DOWNLOAD / "panx" / f"{split}-{language}.tsv")
    assert [sentence.words for sentence in original.sentences] == [sentence.words for sentence in ours.sentences]
    gold = read_tag_lines(CASES / "download.labels" / "panx" / f"{split}-{language}.tsv") if split == "test" else ours
    assert original.gold() == gold.gold()


@pytest.mark.parametrize("variant", ["download", "download.unquoted"])
@pytest.mark.parametrize(("folder", "name"), files("xnli", "pawsx"))
def test_pairs(folder, name, variant, tmp_path):
    file, expected = read_pairs(CASES / variant / folder / name), EXPECTED[folder][name]
    rows = [[text for text in pair if text is not None] for pair in file.pairs]
    if variant == "download":
        assert rows == expected["rows"]
        assert file.has_classes == (expected["columns"] == [3])
    else:  # with the classes of the test
        assert [row[:2] for row in rows] == [row[:2] for row in expected["rows"]]
        check_classes(file, TASKS[folder].labels)
        if name.startswith("test"):
            assert file.gold() == read_class_lines(CASES / "download.labels" / folder / name)
    write_classes(tmp_path / name, file, ["0"] * len(file.pairs))
    assert count_lines(tmp_path / name) == expected["pairs"]


def test_pairs_as_published():
    original = CASES / "original"
    for language in ("en", "de"):
        file = read_pairs(original / "xnli.dev.tsv", language=language)
        assert file.pairs == read_pairs(DOWNLOAD / "xnli" / f"dev-{language}.tsv").pairs
    assert read_pairs(original / "multinli.train.en.tsv").pairs == read_pairs(DOWNLOAD / "xnli" / "train-en.tsv").pairs
    assert read_pairs(original / "x-final" / "de" / "dev_2k.tsv").pairs == read_pairs(DOWNLOAD / "pawsx" / "dev-de.tsv").pairs


@pytest.mark.parametrize(("folder", "name"), files("squad", "xquad", "mlqa", "tydiqa"))
def test_questions(folder, name, tmp_path):
    file, expected = read_questions(DOWNLOAD / folder / name), EXPECTED[folder][name]
    ids = [question.id for question in file.questions]
    assert ids == expected["ids"]
    assert len(ids) == expected["questions"]
    assert sum(n - 1 for n in file.repeated_ids().values()) == expected["duplicate_ids"]
    assert file.withheld == expected["labels_withheld"]
    if not file.withheld:
        assert check_answers(file) == (file, [])
    if not expected["duplicate_ids"]:
        write_answers(tmp_path / "out.json", file, dict.fromkeys(ids, "x"))
        assert list(read_answers(tmp_path / "out.json")) == ids


@pytest.mark.parametrize("label", ["xquad/test-de", "mlqa/test-de", "mlqa/test-zh", "tydiqa/test-en", "tydiqa/test-fi"])
def test_withheld_answers_are_given_elsewhere(label):
    file = read_questions(CASES / "download.labels" / f"{label}.json")
    assert not file.withheld
    assert check_answers(file) == (file, [])


def test_retrieval():
    tatoeba = read_translations(DOWNLOAD / "tatoeba" / "de-en.de", DOWNLOAD / "tatoeba" / "de-en.en")
    gold = read_indices(CASES / "download.labels" / "tatoeba" / "test-de.tsv")
    assert len(tatoeba) == EXPECTED["tatoeba"]["pairs"]
    assert gold == EXPECTED["tatoeba"]["label_of_each_English_line"]
    laser = read_translations(CASES / "download.laser" / "tatoeba.deu-eng.deu", CASES / "download.laser" / "tatoeba.deu-eng.eng")
    assert sorted(laser) == sorted((tatoeba[n][0], english) for n, (_, english) in zip(gold, tatoeba, strict=True))
    for split, sizes in EXPECTED["bucc2018"].items():
        for language, size in sizes.items():
            assert len(read_identified(DOWNLOAD / "bucc2018" / f"de-en.{split}.{language}")) == size
    assert read_id_pairs(DOWNLOAD / "bucc2018" / "de-en.dev.gold") == [("de-000000001", "en-000000002")]


def score(capsys, *arguments):
    assert evaluate.main([*map(str, arguments), "--samples", "20", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    return {name: one["value"] for name, one in report["scores"].items()}, report


def test_scores_of_tags(capsys):
    folder, expected = CASES / "score" / "udpos", SCORES["udpos"]
    values, _ = score(capsys, "--task", "pos", "--gold", folder / "gold.tsv", "--predictions", folder / "pred.tsv")
    wanted = {name.removeprefix("run_"): value for name, value in expected.items()}
    assert values == pytest.approx(wanted, abs=1e-6)
    folder, expected = CASES / "score" / "panx", SCORES["panx"]
    values, _ = score(capsys, "--task", "ner", "--gold", folder / "gold.tsv", "--predictions", folder / "pred.tsv")
    assert values == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("case", ["squad", "mlqa/en", "mlqa/de", "mlqa/zh", "mlqa/ar", "mlqa/es", "mlqa/vi", "mlqa/hi"])
def test_scores_of_answers(case, capsys):
    folder, (name, _, language) = CASES / "score" / case, case.partition("/")
    expected = SCORES[name][language] if language else SCORES[name]
    task = ["--task", "mlqa", "--lang", language] if language else ["--task", "xquad"]
    values, report = score(capsys, *task, "--gold", folder / "gold.json", "--predictions", folder / "pred.json")
    for measure in ("exact_match", "f1"):
        assert values[measure] == pytest.approx(expected[measure], abs=1e-6)
        mean = sum(one[measure] for one in expected["questions"].values()) / len(expected["questions"])
        assert values[measure] == pytest.approx(mean, abs=1e-6)
    assert report["counts"]["questions"] == len(expected["questions"])


def test_scores_of_retrieval(capsys):
    folder, expected = CASES / "score" / "retrieval", SCORES["retrieval"]
    source, english = np.loadtxt(folder / "src.tsv"), np.loadtxt(folder / "en.tsv")
    for name, k in (("cosine", None), ("margin_ratio_k4", 4)):
        for way, queries, others in (("src_to_en", source, english), ("en_to_src", english, source)):
            found = score_indices(range(len(queries)), nearest(queries, others, k).tolist()).values()
            assert found["accuracy"] == pytest.approx(expected[f"{name}_{way}"], abs=1e-6)
    folder, expected = CASES / "score" / "bucc2018", SCORES["bucc2018"]
    arguments = ["--task", "bucc", "--gold", folder / "gold.tsv", "--predictions", folder / "candidates.tsv"]
    values, report = score(capsys, *arguments)
    wanted = {"f1": expected["best_f1"], "precision": expected["precision"], "recall": expected["recall"]}
    assert values == pytest.approx(wanted, abs=1e-6)
    assert report["threshold"] == pytest.approx(expected["threshold"], abs=1e-9)
    assert (report["counts"]["correct"], report["counts"]["predicted"]) == (expected["correct"], expected["extracted"])
    given = score(capsys, *arguments, "--threshold", str(expected["threshold"]))[0]
    assert given == values


@pytest.mark.parametrize("task", TASKS)
def test_the_answers_of_the_tests_score_100_against_themselves(task, capsys):
    for path in sorted((CASES / "download.labels" / TASKS[task].folder).iterdir()):
        predictions = path
        if path.suffix == ".json":
            continue
        values, _ = score(capsys, "--task", task, "--gold", path, "--predictions", predictions)
        assert set(values.values()) == {100.0}


BAD = CASES / "bad"
REFUSED_OR_HANDLED = {
    "train-two-kinds.tsv": lambda path: check_tags(read_tagged(path)),
    "dev-new-label.tsv": lambda path: unknown_tags(read_tagged(path), TASKS["ner"].labels),
    "train-no-label.tsv": read_tagged,
    "blank-lines.tsv": lambda path: [],
    "empty-word.tsv": lambda path: [],
    "offset.json": lambda path: check_answers(read_questions(path)),
    "empty-context.json": lambda path: read_questions(path).notes(),
    "twice.json": lambda path: check_ids(read_questions(path)),
    "not.json": read_questions,
    "pair-one-column.tsv": read_pairs,
    "pair-label.tsv": lambda path: check_classes(read_pairs(path), TASKS["xnli"].labels),
    "ns.tsv": lambda path: read_pairs(path).notes(),
    "latin1.tsv": read_tagged,
}


def test_every_bad_file_has_the_message_or_the_handling_listed():
    listed = json.loads((BAD / "expected.json").read_text("utf-8"))
    assert {case["file"] for case in listed} == REFUSED_OR_HANDLED.keys()
    for case in listed:
        handle, path = REFUSED_OR_HANDLED[case["file"]], BAD / case["file"]
        if case["expect"].startswith("error"):
            with pytest.raises(InputError) as error:
                handle(path)
            said = str(error.value)
        else:
            said = "\n".join(handle(path))
        assert [text for text in case["the text of the message or of the note has"] if text not in said] == [], said


def test_blank_lines_and_empty_words_have_their_lines(tmp_path):
    file = read_tagged(BAD / "blank-lines.tsv")
    write_tags(tmp_path / "out", file, [["X"] * len(sentence.words) for sentence in file.sentences])
    assert (tmp_path / "out").read_text() == "X\nX\n\n\n\nX\nX\n\n"
    file = read_tagged(BAD / "empty-word.tsv")
    write_tags(tmp_path / "out", file, [["O"] * len(sentence.words) for sentence in file.sentences])
    assert (tmp_path / "out").read_text() == "O\nO\nO\nO\n\n"


def test_every_file_of_the_download_has_its_task_split_and_language():
    named = {
        name
        for task in TASKS.values()
        for split in ("train", "dev", "test")
        for language in languages(DOWNLOAD, task, split)
        for name in data_files(task, split, language)
    }
    there = {path.relative_to(DOWNLOAD).as_posix() for path in DOWNLOAD.rglob("*") if path.is_file()}
    all_languages = "tydiqa/tydiqa-goldp-v1.1-train/tydiqa-goldp-v1.1-train.json"
    assert there - named == {all_languages}
    assert named <= there
