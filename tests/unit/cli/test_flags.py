"""Flags made from the options of the aligner configuration: all of them, with their choices, in every command that has them."""

import pytest

from xlm_align_fairseq.alignment.config import OPTIONS, AlignerConfig, given
from xlm_align_fairseq.alignment.methods import METHODS
from xlm_align_fairseq.cli import align, choose, convert, label, new
from xlm_align_fairseq.errors import InputError

NEEDED = {"align": ["--model", "m"], "label": ["--data", "d", "--out", "o"]}


def flags(parser):
    return {flag: action for action in parser._actions for flag in action.option_strings}


@pytest.mark.parametrize("command", [align, label], ids=NEEDED)
@pytest.mark.parametrize("option", OPTIONS.values(), ids=lambda option: option.name)
def test_every_option_is_a_flag(command, option):
    parser = command.parser()
    needed = NEEDED[parser.prog.split()[1]]
    if not option.flag or (command is label and option.name == "window"):
        with pytest.raises(SystemExit):
            parser.parse_args([*needed, f"--{option.name}", "1"])
        return
    action = flags(parser)[option.spelled]
    assert action.help == option.help
    assert given(parser.parse_args(needed)) == {}
    for value in option.choices or (option.low, option.high):
        changes = given(parser.parse_args([*needed, option.spelled, str(value)]))
        assert changes == {option.name: value}
        assert type(changes[option.name]) is option.kind
        AlignerConfig().replace(**changes)
    if option.choices:
        with pytest.raises(SystemExit):
            parser.parse_args([*needed, option.spelled, "bogus"])
    else:
        changes = given(parser.parse_args([*needed, option.spelled, str(option.high + 1)]))
        with pytest.raises(InputError, match=rf"\({option.spelled}\) is .* from {option.low:g} to "):
            AlignerConfig().replace(**changes)


def test_help_lists_names_before_numbers():
    """`--method` first, then flags that list their values, then the others, both in the order of the fields."""
    ours = ["--method", *(option.spelled for option in OPTIONS.values() if option.flag)]
    found = flags(align.parser())
    listed = [flag for flag in found if flag in ours]
    assert listed == sorted(ours, key=lambda flag: bool(found[flag].metavar))
    assert set(found["--method"].choices) == set(METHODS)


def test_a_command_with_two_of_them():
    for name in ("encoding", "align_layer"):
        action = flags(new.parser())[OPTIONS[name].spelled]
        assert action.help.startswith(f"{OPTIONS[name].help} (default: ")
        assert action.choices == (OPTIONS[name].choices or None)
        assert action.default == ("joint" if name == "encoding" else None)
        assert action.type in (OPTIONS[name].kind, None)


def test_choose_takes_one_encoding_or_both():
    assert flags(choose.parser())["--encoding"].choices == (*OPTIONS["encoding"].choices, "both")


@pytest.mark.parametrize("command", [align, label, choose, convert, new])
def test_commands_import_no_command(command):
    modules = {getattr(value, "__module__", None) or "" for value in vars(command).values()} - {command.__name__}
    assert not [name for name in modules if name.startswith("xlm_align_fairseq.cli.") and ".support." not in name]
