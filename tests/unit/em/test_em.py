"""When an EM iteration begins, and with which labels."""

from types import SimpleNamespace

import pytest

from xlm_align_fairseq.em import em
from xlm_align_fairseq.em.em import EM, Schedule
from xlm_align_fairseq.errors import InputError


@pytest.fixture
def stores(monkeypatch):
    """Return the directories of labels that were opened or, negative, the iterations that were made."""
    opened = []
    monkeypatch.setattr(em, "LabelStore", lambda directory, *_: opened.append(directory) or directory)
    monkeypatch.setattr(EM, "_make", lambda self, em_iter, *_: opened.append(-em_iter))
    return opened


@pytest.mark.parametrize(("text", "first", "second"), [("updates:1000", (1, 10_500), (1, 11_000)), ("epochs:1", (3, 9), (4, 12))])
def test_initial_labels_serve_for_the_first_stretch_wherever_training_begins(tmp_path, stores, text, first, second):
    given = tmp_path / "given"
    corpus, teacher = SimpleNamespace(usable=[]), SimpleNamespace(encoder=SimpleNamespace(training=False, train=lambda _: None))
    training = EM(Schedule.parse(text), corpus, tmp_path / "labels", None, initial=given, whole_corpus=True)
    training.advance(*first, list, teacher)
    training.advance(*first, list, teacher)
    assert stores == [given]
    training.advance(*second, list, teacher)
    assert stores == [given, -1]


def test_initial_labels_that_training_would_replace(tmp_path):
    directory = tmp_path / "labels" / "em_iter_0001"
    with pytest.raises(InputError, match=r"--initial-labels .*em_iter_0001: allowed are labels outside"):
        EM(Schedule.parse("epochs:1"), None, tmp_path / "labels", None, initial=directory)
    EM(Schedule.parse("fixed"), None, tmp_path / "labels", None, initial=directory)
