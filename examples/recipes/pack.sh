#!/usr/bin/env bash
# What a machine with a GPU needs, in one file under 60 MB: the binarised text of run.sh, and its encoder in 16 bits.
#   OUT=outputs/recipes/all bash pack.sh      # after run.sh, or after its text, encoder and bitext are there
# The encoder of run.sh knows only the pieces of its text; its weights come from 4-bit blocks, so 16 bits keep them and xz finds the
# rest. Recipe (b) labels with what is in the pack: no evidence, which stays with the text.
set -euo pipefail
OUT=$(realpath -m "${OUT:-outputs/recipes/all}")
xlm-align convert "$OUT/encoder" --to fairseq "$OUT/encoder16" --half --force
tar --sort=name --mtime=@0 --owner=0 --group=0 -C "$OUT" -c data encoder16 | xz -9e -T0 > "$OUT/pack.tar.xz"
ls -l "$OUT/pack.tar.xz"
test "$(stat -c %s "$OUT/pack.tar.xz")" -lt 60000000 || { echo "over 60 MB: give text.py a lower --share, or fewer --pairs" >&2; exit 1; }
