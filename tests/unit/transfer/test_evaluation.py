"""Numbers of several models and languages: means, deviations, paired intervals; and which files are taken."""

import numpy as np
import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.comparison import Scores
from xlm_align_fairseq.transfer.evaluation import MEAN, files_of, task_of
from xlm_align_fairseq.transfer.scores import ScoreTable, share
from xlm_align_fairseq.transfer.settings import ClassSettings, TagSettings
from xlm_align_fairseq.transfer.tasks import TASKS


def found(right):
    """A file of as many sentences of ten words, so many of which are right in each."""
    rows = np.stack([np.asarray(right, float), np.full(len(right), 10.0)], 1)
    return ScoreTable(rows, ("right", "all"), {"accuracy": share(0, 1)})


def scores(*models, samples=500):
    return Scores(models, ["accuracy"], samples, 1)


def test_means_and_deviations():
    two = scores({"de": found([8, 10]), "ja": found([2, 2])}, {"de": found([8, 8]), "ja": found([4, 4])})
    assert two.languages == ["de", "ja", MEAN]
    assert two.values("de", "accuracy") == pytest.approx([90, 80])
    assert two.mean("de", "accuracy") == pytest.approx(85)
    assert two.deviation("de", "accuracy") == pytest.approx(50**0.5)
    assert two.values(MEAN, "accuracy") == pytest.approx([55, 60])
    assert two.deviation(MEAN, "accuracy") == pytest.approx(12.5**0.5)
    low, high = two.interval("ja", "accuracy")  # every sentence is alike
    assert (low, high) == pytest.approx((30, 30))


def test_one_model_of_one_language_is_as_its_table():
    right = np.random.default_rng(3).integers(0, 11, 50)
    one = scores({"de": found(right)})
    assert one.languages == ["de"]
    assert one.deviation("de", "accuracy") == 0
    assert one.interval("de", "accuracy") == pytest.approx(found(right).intervals(500, 1)["accuracy"])


def test_a_difference_is_paired_over_examples():
    """Sentences differ much and models by one word in each: only the pairing sees it."""
    right = np.random.default_rng(3).integers(0, 10, 60)
    better, worse = scores({"de": found(right + 1)}), scores({"de": found(right)})
    difference = better.minus(worse, "de", "accuracy")
    assert difference.value == pytest.approx(10)
    assert difference.interval == pytest.approx((10, 10))
    assert difference.claimed
    assert better.interval("de", "accuracy")[0] < worse.interval("de", "accuracy")[1]


def test_models_that_differ_widen_the_interval_of_a_difference():
    alike = [{"de": found([5] * 40)} for _ in range(3)]
    apart = [{"de": found([n] * 40)} for n in (4, 6, 8)]
    assert not scores(*apart).minus(scores(*alike), "de", "accuracy").claimed
    assert scores(*alike).minus(scores(*alike), "de", "accuracy").interval == pytest.approx((0, 0))


def test_a_language_without_tags_has_no_scores():
    assert scores({"de": found([1]), "ja": None}).languages == ["de"]
    assert scores({"ja": None}).languages == []


def test_files(tmp_path):
    for lang in ("de", "ja"):
        (tmp_path / "udpos").mkdir(exist_ok=True)
        (tmp_path / "udpos" / f"dev-{lang}.tsv").write_text("a\tX\n")
    pos = TASKS["pos"]
    assert list(files_of(pos, [str(tmp_path)], [], "dev")) == ["de", "ja"]
    assert files_of(pos, [str(tmp_path)], ["ja"], "dev") == {"ja": str(tmp_path / "udpos" / "dev-ja.tsv")}
    assert files_of(pos, ["a", "b"], ["x", "y"], "test") == {"x": "a", "y": "b"}
    for data, langs, said in (
        ([str(tmp_path)], ["ro"], "dev-ro.tsv: no such file; it has dev files of pos in de, ja"),
        (["a"], [], "--data has 1 files, --lang 0 languages"),
        (["a", "b"], ["x", "x"], "a language is there twice"),
        (["a"], [MEAN], "the mean over languages has this name"),
    ):
        with pytest.raises(InputError, match=said):
            files_of(pos, data, langs, "dev")
    with pytest.raises(InputError, match="give the folder of XTREME's download, or files"):
        files_of(pos, [str(tmp_path)], [], "test")


def test_the_task_of_a_run():
    text = "0" * 64
    assert task_of(TagSettings(8, text, ("NOUN", "VERB"))) is TASKS["pos"]
    assert task_of(TagSettings(8, text, ("B-PER", "O"))) is TASKS["ner"]
    assert task_of(ClassSettings(8, text, ("0", "1"))) is TASKS["pawsx"]
    own = task_of(ClassSettings(8, text, ("health", "sports")))
    assert (own.name, own.kind, own.labels) == ("classes", "classes", ("health", "sports"))
    with pytest.raises(InputError, match="XTREME has no task of the labels health, sports; give files, with --lang"):
        files_of(own, ["."], [], "dev")
