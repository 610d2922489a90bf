"""The one fairseq dictionary that all languages of a data directory share."""

from pathlib import Path

from fairseq.data import Dictionary

from xlm_align_fairseq.encoder.vocabulary import FILE_NAME, MASK, refuse_mark
from xlm_align_fairseq.errors import InputError


def load_dictionary(data: Path) -> Dictionary:
    """Read the dictionary of a data directory: `dict.txt`, or the `dict.LANG.txt` that fairseq-preprocess writes.

    Raises:
        InputError: no such directory, no dictionary in it, one that cannot be read, or several that differ.
    """
    if not data.is_dir():
        raise InputError(f"{data}: no such directory of binarised bitext; `xlm-align binarize` makes one")
    files = [data / FILE_NAME] if (data / FILE_NAME).is_file() else sorted(data.glob("dict.*.txt"))
    if not files:
        raise InputError(f"{data} has no dict.txt and no dict.LANG.txt: make it with fairseq-preprocess or `xlm-align binarize`")
    dictionaries = [_load(file) for file in files]
    for file, dictionary in zip(files, dictionaries, strict=True):
        refuse_mark(file, "".join(dictionary.symbols[dictionary.nspecial :][:1]))
    for file, other in zip(files[1:], dictionaries[1:], strict=True):
        if other.symbols != dictionaries[0].symbols:
            raise InputError(
                f"{file} differs from {files[0]}: all languages share one dictionary; "
                "give fairseq-preprocess the dict.txt of the model twice, --srcdict and --tgtdict"
            )
    dictionaries[0].add_symbol(MASK)
    return dictionaries[0]


def _load(file: Path) -> Dictionary:
    try:
        return Dictionary.load(str(file))
    except Exception as error:  # fairseq raises this very class, too
        reason = " ".join(str(error).split())
        raise InputError(f"{file} is no dictionary of fairseq ({reason}): binarise the text again") from error
