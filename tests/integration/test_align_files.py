"""`xlm-align align` with files: forms of input and output, shards, and runs that are killed and resumed."""

import bz2
import fcntl
import gzip
import importlib.metadata
import json
import lzma
import os
import shutil
import signal
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
import torch
from backports import zstd
from sentencepiece import sentencepiece_model_pb2
from world import ENVIRONMENT, SHIPPED

from xlm_align_fairseq.aligner import aligner as aligner_module
from xlm_align_fairseq.cli.main import main as xlm_align
from xlm_align_fairseq.cli.support.shards import Shard
from xlm_align_fairseq.links.pharaoh import parse_pharaoh, parse_probabilities

PROGRAM = Path(sys.executable).with_name("xlm-align")
PLACE = SHIPPED / "ro-en"
SOURCE, TARGET = ((PLACE / f"test.{side}").read_text("utf-8").splitlines()[:20] for side in ("ro", "en"))


@pytest.fixture
def text(tmp_path):
    """The same pairs in every form."""
    (tmp_path / "text.ro").write_text("\n".join(SOURCE) + "\n", "utf-8")
    (tmp_path / "text.en").write_text("\n".join(TARGET) + "\n", "utf-8")
    (tmp_path / "tsv").write_text("".join(f"{s}\t{t}\tmore\n" for s, t in zip(SOURCE, TARGET, strict=True)), "utf-8")
    (tmp_path / "pairs").write_text("".join(f"{s} ||| {t}\n" for s, t in zip(SOURCE, TARGET, strict=True)), "utf-8")
    return tmp_path


def align(world, *flags):
    return xlm_align(["align", "--model", str(world / "model"), "--quiet", *map(str, flags)])


def files(text):
    return "--src", text / "text.ro", "--tgt", text / "text.en"


@pytest.fixture
def expected(world, text):
    """The links of the two plain files."""
    assert align(world, *files(text), "--out", text / "expected") == 0
    return (text / "expected").read_bytes()


# input


@pytest.mark.parametrize("ending", ["", ".gz", ".bz2", ".xz", ".zst"])
@pytest.mark.parametrize("flag", ["--src", "--tsv", "--pairs"])
def test_every_form_of_input_gives_the_same_links(world, text, expected, flag, ending):
    pack = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".zst": zstd.compress}[ending]
    names = {"--src": ["text.ro", "text.en"], "--tsv": ["tsv"], "--pairs": ["pairs"]}[flag]
    packed = [text / f"packed.{name}{ending}" for name in names]
    for name, path in zip(names, packed, strict=True):
        path.write_bytes(pack((text / name).read_bytes()))
    flags = [flag, packed[0]] if len(packed) == 1 else ["--src", packed[0], "--tgt", packed[1]]
    assert align(world, *flags, "--out", text / "out") == 0
    assert (text / "out").read_bytes() == expected


def test_texts_that_do_not_go_together(world, text, capsys):
    for flags, given in [(["--src", "a"], "--src"), (["--tsv", "a", "--pairs", "b"], "--tsv --pairs")]:
        assert align(world, *flags) == 2
        assert f"error: {given}: allowed are --src and --tgt together, --tsv, or --pairs" in capsys.readouterr().err


# tokenisers


def test_links_count_the_words_of_the_tokeniser_which_are_written_on_request(world, tmp_path):
    (tmp_path / "zh").write_text("我喜欢猫。\n你好\n", "utf-8")
    (tmp_path / "en").write_text("I like cats.\n\n", "utf-8")
    flags = ["--src", tmp_path / "zh", "--tgt", tmp_path / "en", "--tokenizer", "zh,13a", "--out", tmp_path / "out"]
    assert align(world, *flags, "--write-tokenized", tmp_path / "words.zh", tmp_path / "words.en") == 0
    source, target = ((tmp_path / f"words.{side}").read_text("utf-8").split("\n") for side in ("zh", "en"))
    assert source == ["我 喜 欢 猫 。", "你 好", ""]
    assert target == ["I like cats .", "", ""]
    lines = (tmp_path / "out").read_text().split("\n")
    assert len(lines) == 3
    assert all(i < 5 and j < 4 for i, j in parse_pharaoh(lines[0]))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("flores200", "'flores200' makes pieces with a model that it would download"),
        ("moses", "no tokeniser 'moses'; allowed are none, 13a"),
        ("13a,zh,char", "--tokenizer 13a,zh,char: allowed are one name for both sides, or two with a comma between"),
    ],
)
def test_tokenisers_that_are_refused(world, text, capsys, name, message):
    assert align(world, *files(text), "--tokenizer", name) == 2
    assert message in capsys.readouterr().err


# output


def test_formats_agree(world, text, expected):
    formats = ("pharaoh", "probabilities", "words", "jsonl")
    lines = {}
    for name in formats:
        assert align(world, *files(text), "--format", name, "--out", text / name) == 0
        lines[name] = (text / name).read_text("utf-8").removesuffix("\n").split("\n")
    assert lines["pharaoh"] == expected.decode().removesuffix("\n").split("\n")
    for n, (source, target) in enumerate(zip(SOURCE, TARGET, strict=True)):
        links = parse_pharaoh(lines["pharaoh"][n])
        probabilities = parse_probabilities(lines["probabilities"][n])
        record = json.loads(lines["jsonl"][n])
        assert list(probabilities) == links == [tuple(link) for link in record["links"]]
        assert record["probabilities"] == list(probabilities.values())
        assert (record["source"], record["target"]) == (source.split(" "), target.split(" "))
        assert 0 < record["score"] <= 1
        words = [tuple(pair.split("<sep>")) for pair in lines["words"][n].split(" ")]
        assert words == [(record["source"][i], record["target"][j]) for i, j in links]


def test_flags_of_reading_are_in_the_record(world, tmp_path):
    (tmp_path / "pairs").write_bytes(b"a ||| b\nno separator\nbad \xff ||| c\n")
    assert align(world, "--pairs", tmp_path / "pairs", "--format", "jsonl", "--out", tmp_path / "out") == 0
    flags = [json.loads(line)["flags"] for line in (tmp_path / "out").read_text("utf-8").splitlines()]
    assert flags[0] == []
    assert flags[1] == ["separator", "blank"]
    assert flags[2][0] == "invalid"


@pytest.mark.parametrize("num_shards", [1, 3, 7, 30])
def test_shards_put_together_are_the_undivided_output(world, text, expected, num_shards):
    parts = []
    for shard in range(num_shards):
        assert align(world, *files(text), "--num-shards", num_shards, "--shard-id", shard, "--out", text / f"{shard}") == 0
        parts.append((text / f"{shard}").read_bytes())
    assert b"".join(parts) == expected
    assert max(len(part.splitlines()) for part in parts) - min(len(part.splitlines()) for part in parts) <= 1


def test_shards_that_are_refused(world, text, capsys):
    assert align(world, *files(text), "--num-shards", 2, "--shard-id", 2) == 2
    assert "--shard-id 2 of --num-shards 2: allowed are 0 to one less than that" in capsys.readouterr().err
    done = subprocess.run(
        [PROGRAM, "align", "--model", world / "model", "--num-shards", "2"],
        input=b"",
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert done.returncode == 2
    assert b"--num-shards needs files that can be read twice" in done.stderr


# resuming


def test_killed_and_gone_on_with(world, tmp_path):
    """Killed several times; no line is lost or there twice."""
    short = [[" ".join(line.split(" ")[:8]) for line in side] for side in (SOURCE, TARGET)]
    lines = [f"{s} ||| {t}" for s, t in zip(*short, strict=True)]
    (tmp_path / "pairs").write_text("".join(f"{lines[n % 20]} {n}\n" for n in range(9000)), "utf-8")
    words = ["--write-tokenized", str(tmp_path / "src"), str(tmp_path / "tgt")]
    command = [PROGRAM, "align", "--model", world / "model", "--pairs", tmp_path / "pairs", "--tokenizer", "13a", "--quiet"]
    command = list(map(str, command))
    whole = ["--out", str(tmp_path / "whole"), "--write-tokenized", str(tmp_path / "whole.src"), str(tmp_path / "whole.tgt")]
    assert xlm_align([*command[1:], *whole]) == 0
    partial, seen = tmp_path / "out.partial", []
    for _ in range(2):
        process = subprocess.Popen([*command, "--out", str(tmp_path / "out"), *words, "--resume"], env=ENVIRONMENT)
        size = partial.stat().st_size if partial.exists() else 0
        while process.poll() is None and (not partial.exists() or partial.stat().st_size <= size):
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert partial.exists()
        assert not (tmp_path / "out").exists()
        seen.append(partial.read_bytes().count(b"\n"))
        with open(partial, "ab") as file:
            file.write(b"0-0 1-")  # an incomplete line
    assert 0 < seen[0] < seen[1] < 9000
    assert xlm_align([*command[1:], "--out", str(tmp_path / "out"), *words]) == 2  # not without --resume
    assert xlm_align([*command[1:], "--out", str(tmp_path / "out"), *words, "--resume"]) == 0
    for name, other in [("out", "whole"), ("src", "whole.src"), ("tgt", "whole.tgt")]:
        assert (tmp_path / name).read_bytes() == (tmp_path / other).read_bytes()
    assert not list(tmp_path.glob("*partial*"))
    assert xlm_align([*command[1:], "--out", str(tmp_path / "out"), *words, "--resume"]) == 0  # nothing is left to do


def leave_unfinished(world, text):
    """Leave the files of a run with `--out out` that is killed after two lines."""
    assert align(world, *files(text), "--out", text / "out") == 0
    state = {}

    def stop(self, _, same, lines, step):
        state.update(same)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("xlm_align_fairseq.cli.support.outputs.Output._prepare", stop)
        assert align(world, *files(text), "--out", text / "out") == 130
    lines = (text / "out").read_bytes().splitlines(keepends=True)
    (text / "out").unlink()
    (text / "out.partial").write_bytes(b"".join(lines[:2]))
    (text / "out.partial.json").write_text(json.dumps(state) + "\n")
    return b"".join(lines)


def test_going_on_needs_the_same_text_and_flags(world, text, capsys):
    whole = leave_unfinished(world, text)
    assert align(world, *files(text), "--out", text / "out", "--resume", "--align-layer", 2) == 2
    assert "aligner align_layer was 1, now it is 2, and the output would be of both" in capsys.readouterr().err
    assert align(world, *files(text), "--out", text / "out", "--resume", "--format", "jsonl") == 2
    assert "output was 'pharaoh', now it is 'jsonl'" in capsys.readouterr().err
    words = ["--write-tokenized", text / "a", text / "b"]
    assert align(world, *files(text), "--out", text / "out", "--resume", *words) == 2
    assert "tokenized was False, now it is True" in capsys.readouterr().err
    (text / "text.en").write_text("x\n" * 20)
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    assert "inputs was [{'name': 'text.ro'" in capsys.readouterr().err
    (text / "text.en").write_text("\n".join(reversed(TARGET)) + "\n", "utf-8")  # as many bytes
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    (text / "text.en").write_text("\n".join(TARGET) + "\n", "utf-8")
    assert align(world, *files(text), "--out", text / "out", "--resume", "--batch-tokens", 50) == 0
    assert (text / "out").read_bytes() == whole


def swap_two_lines(model):
    lines = (model / "dict.txt").read_text("utf-8").splitlines(keepends=True)
    lines[10], lines[300] = lines[300], lines[10]
    (model / "dict.txt").write_text("".join(lines), "utf-8")


def change_a_score(model):
    proto = sentencepiece_model_pb2.ModelProto()
    proto.ParseFromString((model / "sentencepiece.bpe.model").read_bytes())
    proto.pieces[100].score -= 5
    (model / "sentencepiece.bpe.model").write_bytes(proto.SerializeToString())


def change_a_weight(model):
    content = torch.load(model / "model.pt", weights_only=True)
    content["model"]["encoder.layers.0.fc1.bias"][0] += 1
    torch.save(content, model / "model.pt")


def narrow_the_window(model):
    record = json.loads((model / "aligner.json").read_text())
    (model / "aligner.json").write_text(json.dumps(record | {"window": 50}))


CHANGES = {
    "dictionary": (swap_two_lines, "dictionary was '"),
    "sentencepiece": (change_a_score, "sentencepiece was '"),
    "weights": (change_a_weight, "weights was '"),
    "window": (narrow_the_window, "window was 60, now it is 50"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_going_on_needs_the_same_model(world, text, tmp_path, capsys, name):
    """Whatever of the model directory changed; its name may be another one."""
    change, message = CHANGES[name]
    whole = leave_unfinished(world, text)
    shutil.copytree(world / "model", tmp_path / "moved" / "model")
    left = (text / "out.partial").read_bytes()
    change(tmp_path / "moved" / "model")
    assert align(tmp_path / "moved", *files(text), "--out", text / "out", "--resume") == 2
    said = capsys.readouterr().err
    assert message in said
    assert "and the output would be of both; give the same text, model and flags on the same kind of machine, or delete" in said
    assert (text / "out.partial").read_bytes() == left
    shutil.rmtree(tmp_path / "moved" / "model")
    shutil.copytree(world / "model", tmp_path / "moved" / "model")
    assert align(tmp_path / "moved", *files(text), "--out", text / "out", "--resume") == 0
    assert (text / "out").read_bytes() == whole


def version_of_torch(patch):
    real = importlib.metadata.version
    patch.setattr("importlib.metadata.version", lambda name: "9" if name == "torch" else real(name))


ELSEWHERE = {
    "processor": (lambda patch: patch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "OLD"), "(OLD)'"),
    "library": (version_of_torch, "libraries torch was '"),
    "unicode": (lambda patch: patch.setattr(unicodedata, "unidata_version", "1"), "libraries unicode was '"),
    "threads": (lambda patch: patch.setattr(torch, "get_num_threads", lambda: 3), "threads was 1, now it is 3"),
    "version": (lambda patch: patch.setattr("xlm_align_fairseq.cli.support.identity.__version__", "0"), "now it is '0'"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_going_on_needs_the_same_arithmetic(world, text, capsys, monkeypatch, name):
    change, message = ELSEWHERE[name]
    torch.set_num_threads(1)
    leave_unfinished(world, text)
    with monkeypatch.context() as patch:
        change(patch)
        assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--half"], "weights was '"),
        (["--tokenizer", "13a"], "tokenizers was 'none+none', now it is '"),
        (["--threads", "2"], "threads was 1, now it is 2"),
        (["--num-shards", "1"], None),
        (["--line-buffered"], None),  # with one thread a batch of one gives the same bits
        (["--batch-tokens", "50"], None),
    ],
)
def test_going_on_with_other_flags(world, text, capsys, flags, message):
    torch.set_num_threads(1)
    whole = leave_unfinished(world, text)
    code = align(world, *files(text), "--out", text / "out", "--resume", *flags)
    torch.set_num_threads(1)
    if message is None:
        assert code == 0
        assert (text / "out").read_bytes() == whole
    else:
        assert code == 2
        assert message in capsys.readouterr().err


def test_with_several_threads_batches_are_the_same_too(world, text, capsys):
    torch.set_num_threads(2)
    leave_unfinished(world, text)
    for flags, now in ((["--batch-tokens", "50"], "50 pieces"), (["--line-buffered"], "one pair")):
        assert align(world, *files(text), "--out", text / "out", "--resume", *flags) == 2
        assert f"batches was '2048 pieces', now it is '{now}'" in capsys.readouterr().err
    assert align(world, *files(text), "--out", text / "out", "--resume") == 0
    torch.set_num_threads(1)


def test_a_run_goes_on_from_where_no_batch_is_shared(world, text, monkeypatch):
    """Pairs that are aligned together are aligned together again: the last bit can depend on the batch, with several threads."""
    monkeypatch.setattr(aligner_module, "CHUNK_PAIRS", 6)
    whole = leave_unfinished(world, text)
    lines = whole.splitlines(keepends=True)
    (text / "out.partial").write_bytes(b"".join(lines[:17]) + b"0-0 1-")
    chunks = []

    def align_chunk(engine, chunk, *more, original=aligner_module.ChunkAligner.align):
        chunks.append([pair.source for pair in chunk])
        return original(engine, chunk, *more)

    monkeypatch.setattr(aligner_module.ChunkAligner, "align", align_chunk)
    assert align(world, *files(text), "--out", text / "out", "--resume") == 0
    assert (text / "out").read_bytes() == whole
    words = [line.split(" ") for line in SOURCE]
    assert chunks == [words[12:18], words[18:20]]


def test_an_unfinished_output_of_an_earlier_format_is_refused(world, text, capsys):
    """Format 2 did not say which dictionary and sentencepiece model it was made with."""
    leave_unfinished(world, text)
    (text / "out.partial.json").write_text('{"format": "xlm-align-output.2", "signature": "weights:0", "inputs": []}\n')
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    said = capsys.readouterr().err
    assert "out.partial.json is of format 'xlm-align-output.2', of another version, which does not say all" in said
    assert f"delete {text / 'out.partial.json'} to begin anew, or go on with that version\n" in said


@pytest.mark.parametrize("ended", [False, True])
def test_more_lines_than_the_text_has_are_no_finished_output(world, text, capsys, ended):
    whole = leave_unfinished(world, text)
    (text / "out.partial").write_bytes(whole * 2)
    if ended:
        with open(text / "out.partial.json", "ab") as file:
            file.write(b"all lines are written\n")
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    assert f"{text / 'out.partial'} has 40 lines, the text has 20: it is of other text; delete" in capsys.readouterr().err
    assert not (text / "out").exists()
    assert (text / "out.partial").read_bytes() == whole * 2


def test_standard_input_that_is_shorter_than_what_was_written(world, text):
    lines = (text / "pairs").read_bytes().splitlines(keepends=True)
    command = [PROGRAM, "align", "--model", world / "model", "--quiet", "--out", text / "out"]
    options = {"env": ENVIRONMENT, "stderr": subprocess.PIPE}
    with subprocess.Popen([*command, "--line-buffered"], stdin=subprocess.PIPE, **options) as process:
        process.stdin.write(b"".join(lines[:3]))
        process.stdin.flush()
        while not (text / "out.partial").exists() or (text / "out.partial").read_bytes().count(b"\n") < 3:
            assert process.poll() is None
            time.sleep(0.02)
        process.kill()
    done = subprocess.run([*command, "--line-buffered", "--resume"], input=lines[0], **options, check=False)
    assert done.returncode == 2
    assert b"<stdin>: 1 lines, but 3 are in the unfinished output: it is of other text" in done.stderr
    done = subprocess.run([*command, "--line-buffered", "--resume"], input=b"".join(lines), **options, check=False)
    assert done.returncode == 0
    assert (text / "out").read_bytes().count(b"\n") == 20


# text that changes while it is read


CHANGED = {
    "shrinks": lambda data: b"".join(data.splitlines(keepends=True)[:-3]),
    "grows": lambda data: data + b"one more\n",
    "grows without a line": lambda data: data.removesuffix(b"\n") + b" more\n",
    "other words": lambda data: data.replace(b"a", b"e"),
    "empty": lambda data: b"",
}


@pytest.mark.parametrize("change", CHANGED)
@pytest.mark.parametrize("flags", [[], ["--num-shards", 3, "--shard-id", 0]])
def test_text_that_changes_while_it_is_read(world, text, capsys, monkeypatch, change, flags):
    """Once it is counted. The other file tells nothing of it."""

    def count(shard, original=Shard.count):
        lines = original(shard)
        (text / "text.en").write_bytes(CHANGED[change]((text / "text.en").read_bytes()))
        return lines

    monkeypatch.setattr(Shard, "count", count)
    for out in ([], ["--out", text / "out"]):
        (text / "text.en").write_text("\n".join(TARGET) + "\n", "utf-8")
        capsys.readouterr()
        assert align(world, *files(text), *out, *flags) == 2
        said = capsys.readouterr().err.splitlines()[-1]
        assert f"error: {text / 'text.en'}: the text changed while it was read: 20 lines (SHA-256 " in said
        assert said.endswith("; the output is not complete: let nothing write to the file, and start again")
    assert not (text / "out").exists()
    (text / "text.en").write_text("\n".join(TARGET) + "\n", "utf-8")
    monkeypatch.undo()
    assert align(world, *files(text), "--out", text / "out", "--resume", *flags) == 0  # of the text that was counted


@pytest.mark.parametrize("damaged", ["{", "[1]", "{}"])
def test_a_damaged_state_is_refused(world, text, capsys, damaged):
    leave_unfinished(world, text)
    (text / "out.partial.json").write_text(damaged)
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    assert "out.partial.json is damaged; delete" in capsys.readouterr().err


@pytest.mark.parametrize("renamed", [0, 1, 2, 3])
def test_killed_between_the_renamings(world, text, expected, monkeypatch, renamed):
    """All lines are written, but only some of the three files have their final names."""
    words = ["--write-tokenized", text / "src", text / "tgt"]
    flags = [*files(text), "--out", text / "out", *words]
    replace, left = os.replace, [renamed]

    def killed(source, target):
        if str(source).endswith(".partial"):
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", killed)
        if renamed == 3:
            patch.setattr(Path, "unlink", lambda path, missing_ok=False: (_ for _ in ()).throw(KeyboardInterrupt))
        assert align(world, *flags) == 130
    assert len(list(text.glob("*.partial"))) == 3 - renamed
    assert align(world, *flags) == 2  # not without --resume
    assert align(world, *flags, "--resume") == 0
    assert (text / "out").read_bytes() == expected
    for side, lines in (("src", SOURCE), ("tgt", TARGET)):
        assert (text / side).read_text("utf-8").splitlines() == lines
    assert not list(text.glob("*partial*"))


def test_two_runs_with_one_output(world, text, capsys):
    """The second is refused while the first writes, and the first is not disturbed."""
    whole = leave_unfinished(world, text)
    with open(text / "out.partial.json", "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for resume in ([], ["--resume"]):
            assert align(world, *files(text), "--out", text / "out", *resume) == 2
            assert "is in use: another run is writing this output" in capsys.readouterr().err
    assert (text / "out.partial").read_bytes() == b"".join(whole.splitlines(keepends=True)[:2])
    assert align(world, *files(text), "--out", text / "out", "--resume") == 0
    assert (text / "out").read_bytes() == whole


def test_an_unfinished_file_that_is_missing(world, text, capsys):
    leave_unfinished(world, text)
    (text / "out.partial").unlink()
    assert align(world, *files(text), "--out", text / "out", "--resume") == 2
    assert "out.partial is missing, but" in capsys.readouterr().err


def test_an_output_that_is_a_symbolic_link_stays_one(world, text, expected):
    (text / "link").symlink_to(text / "real")
    for _ in range(2):
        assert align(world, *files(text), "--out", text / "link") == 0
        assert (text / "link").is_symlink()
        assert (text / "real").read_bytes() == expected


def test_resume_is_refused_where_nothing_is_known(world, text, capsys):
    assert align(world, *files(text), "--resume") == 2
    assert "--resume needs --out FILE" in capsys.readouterr().err
    assert align(world, *files(text), "--resume", "--out", "/dev/null") == 2
    assert "is no regular file" in capsys.readouterr().err
    (text / "out").write_text("\n")
    assert align(world, *files(text), "--resume", "--out", text / "out") == 2
    assert "out has 1 lines, the text has 20: it is of other text" in capsys.readouterr().err


def test_a_failing_run_leaves_no_output_but_what_can_be_gone_on_with(world, tmp_path):
    (tmp_path / "a").write_text("a\nb\n")
    (tmp_path / "b.gz").write_bytes(gzip.compress(b"a\nb\n")[:-8])
    assert align(world, "--src", tmp_path / "a", "--tgt", tmp_path / "b.gz", "--out", tmp_path / "out") == 2
    assert not (tmp_path / "out").exists()


def test_two_outputs_of_one_name_are_refused(world, text, capsys):
    assert align(world, *files(text), "--out", text / "x", "--write-tokenized", text / "x", text / "y") == 2
    assert "--out and --write-tokenized both write " in capsys.readouterr().err
    assert align(world, *files(text), "--out", text / "x", "--write-tokenized", text / "text.ro", text / "y") == 2
    assert "--write-tokenized" in capsys.readouterr().err
    assert (text / "text.ro").read_text("utf-8").splitlines() == SOURCE
