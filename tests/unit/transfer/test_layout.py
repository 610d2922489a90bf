"""Names of files in XTREME's download."""

import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.layout import data_files, languages, prediction_file
from xlm_align_fairseq.transfer.tasks import TASKS


@pytest.mark.parametrize("task", TASKS)
def test_what_is_named_is_found(task, tmp_path):
    task = TASKS[task]
    for split in ("train", "dev", "test"):
        try:
            names = {
                lang: data_files(task, split, lang)
                for lang in ("de", "en", "pt-br")
                if (lang != "en" or task.kind != "retrieval")
            }
        except InputError:
            assert languages(tmp_path, task, split) in ([], ["en"])
            continue
        for lang, files in names.items():
            for name in files:
                assert lang not in languages(tmp_path, task, split)  # not before all are there
                (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
                (tmp_path / name).touch()
        assert languages(tmp_path, task, split) == sorted(names)
    assert languages(tmp_path / "nowhere", task, "test") == []


def test_names():
    assert data_files(TASKS["mlqa"], "test", "zh") == ["mlqa/MLQA_V1/test/test-context-zh-question-zh.json"]
    assert data_files(TASKS["xquad"], "train", "en") == ["squad/train-v1.1.json"]
    assert data_files(TASKS["bucc"], "dev", "de")[-1] == "bucc2018/de-en.dev.gold"
    assert [prediction_file(TASKS[task], "de") for task in ("pos", "tydiqa", "bucc")] == [
        "udpos/test-de.tsv", "tydiqa/test-de.json", "bucc2018/test-de.tsv",
    ]  # fmt: skip
    with pytest.raises(InputError, match="the task tydiqa has no files of the split 'dev'; allowed are train, test"):
        data_files(TASKS["tydiqa"], "dev", "fi")


def test_two_languages_in_one_question_file_are_not_one(tmp_path):
    path = tmp_path / "mlqa/MLQA_V1/test/test-context-de-question-en.json"
    path.parent.mkdir(parents=True)
    path.touch()
    assert languages(tmp_path, TASKS["mlqa"], "test") == []
