"""Commands that count their text first: text that changes before it was read to its end is an error, whichever file it is."""

from pathlib import Path

import pytest

from xlm_align_fairseq.cli import lexicon, main, score
from xlm_align_fairseq.cli.support import carrying, carrying_labels

FILES = {
    "src": "das Haus\n\nDas das\n",
    "tgt": "the house\n\nthe that\n",
    "links": "0-0 1-1\n\n0-0 1-1\n",
    "gold": "0-0 1p1\n\n0-0\n",
    "labels": "das\tO\nHaus\tB-X\n\n\nDas\tO\ndas\tO\n\n",
}
LINKS = ["--alignments", "links", "--quiet", "--out", "out"]
COMMANDS = {  # what stands between counting and reading; the command
    "lexicon": (lexicon, "progress", ["lexicon", "--src", "src", "--tgt", "tgt", *LINKS]),
    "labels": (carrying_labels, "progress", ["project", "--labels", "labels", "--tgt", "tgt", *LINKS]),
    "markup": (carrying, "progress", ["project", "--markup", "src", "--tgt", "tgt", *LINKS]),
    "score": (score, "load_gold", ["score", "--gold", "gold", "--src", "src", "--tgt", "tgt", "links", "--per-sentence", "out"]),
}
READ = [(name, file) for name, (_, _, command) in COMMANDS.items() for file in FILES if file in command and file != "gold"]


def write_files():
    for file, content in FILES.items():
        Path(file).write_text(content)


@pytest.mark.parametrize(("name", "changed"), READ)
@pytest.mark.parametrize("change", ["shrinks", "grows"])
def test_text_that_changes(tmp_path, monkeypatch, capsys, name, changed, change):
    module, between, command = COMMANDS[name]
    monkeypatch.chdir(tmp_path)
    write_files()

    original = getattr(module, between)

    def act(*arguments, **options):
        whole = FILES[changed]
        part = whole.rpartition("Das\t")[0] if changed == "labels" else "".join(whole.splitlines(keepends=True)[:2])
        Path(changed).write_text(part if change == "shrinks" else whole + whole)
        return original(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, between, act)
        assert main.main(command) == 2
    said = capsys.readouterr().err
    assert f"{changed}: the text changed while it was read: " in said
    assert said.count("\n") == 1
    assert not Path("out").exists()
    write_files()
    assert main.main(command) == 0
