"""Tasks and averages."""

import pytest

from xlm_align_fairseq.errors import InputError
from xlm_align_fairseq.transfer.tasks import AVERAGES, TASKS, answers_number, average, find_task, language_mean

# Chi et al. 2021, table 2: XLM-R base and XLM-Align; F1 / exact match of questions
NAMES = ("pos", "ner", "xquad", "mlqa", "tydiqa", "xnli", "pawsx")
PAPER = {
    66.4: (75.6, 61.8, (71.9, 56.4), (65.1, 47.2), (55.4, 38.3), 75.0, 84.9),
    68.9: (76.0, 63.7, (74.7, 59.0), (68.1, 49.8), (62.1, 44.8), 76.2, 86.8),
}


@pytest.mark.parametrize("published", PAPER)
def test_the_average_of_the_paper_is_that_of_seven_tasks(published):
    numbers = [answers_number(*value) if isinstance(value, tuple) else value for value in PAPER[published]]
    row = dict(zip(NAMES, numbers, strict=True))
    assert average(row) == pytest.approx(published, abs=0.06)  # the paper rounds 66.35 and 68.85 up
    with pytest.raises(InputError, match="over 9 tasks, and tatoeba, bucc has no number"):
        average(row, "xtreme")


def test_tasks():
    assert [len(TASKS[name].labels) for name in ("pos", "ner", "xnli", "pawsx", "xquad")] == [17, 7, 3, 2, 0]
    assert len(AVERAGES["paper"]) == 7
    assert len(AVERAGES["xtreme"]) == 9
    assert {task.name for task in TASKS.values()} == set(TASKS)
    with pytest.raises(InputError, match="no task 'udpos': allowed are pos, ner"):
        find_task("udpos")
    with pytest.raises(InputError, match="no average"):
        average({}, "mine")


def test_mean_of_languages():
    assert language_mean({"en": 1, "de": 2, "fi": 6}, ["en"]) == 4
    with pytest.raises(InputError, match="the mean of no languages"):
        language_mean({"en": 1}, ["en"])
