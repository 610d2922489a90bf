"""--restore-file of a checkpoint of the same run: training resumes from it, in its own directory."""

import json
import shutil

import pytest
from world import assert_same_parameters, train, train_flags

from xlm_align_fairseq.errors import InputError

COMPANIONS = ("dict.txt", "sentencepiece.bpe.model", "aligner.json")


def test_a_run_goes_on_from_its_own_checkpoint(world, tmp_path, caplog):
    """4 updates and 2 more, without --cold-start, give what 6 updates at once give; the companions stay as they are.

    The labels come from layer 2, as the companions of the run say, not those of its cold start. The last two updates are
    compared: they would differ after a fresh start, or with fresh moments in Adam.
    """
    layer = ["--align-layer", "2"]
    straight = train(caplog, train_flags(world, tmp_path / "straight", *layer))
    first = train(caplog, train_flags(world, tmp_path / "run", *layer, "--max-update", "4"))
    assert [log["num_updates"] for log in first] == [1, 2, 3, 4]
    last = tmp_path / "run" / "checkpoint_last.pt"
    companions = {name: (last.parent / name).read_bytes() for name in COMPANIONS}
    then = train(caplog, train_flags(world, last.parent, "--restore-file", str(last), cold_start=False))
    assert [log["num_updates"] for log in then] == [5, 6]
    assert first == straight[:4]
    assert then == straight[4:]
    assert_same_parameters(last, tmp_path / "straight" / "checkpoint_last.pt")
    assert {name: (last.parent / name).read_bytes() for name in COMPANIONS} == companions


def test_flags_that_change_on_the_way_are_written_down(world, tmp_path, caplog):
    run = tmp_path / "run"
    train(caplog, train_flags(world, run, "--align-layer", "2", "--max-update", "2"))
    flags = ["--restore-file", str(run / "checkpoint_last.pt"), "--align-layer", "1", "--max-update", "4"]
    train(caplog, train_flags(world, run, *flags, cold_start=False))
    assert json.loads((run / "aligner.json").read_text())["align_layer"] == 1


@pytest.mark.parametrize("start", ["", "model.pt"])
def test_training_into_the_directory_of_the_cold_start_is_refused(world, tmp_path, caplog, start):
    shutil.copytree(world / "model", tmp_path / "model")
    with pytest.raises(InputError, match="is the directory of the cold start: give another, its files would mix"):
        train(caplog, train_flags(world, tmp_path / "model", "--cold-start", str(tmp_path / "model" / start)))
