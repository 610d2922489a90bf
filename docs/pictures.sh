#!/usr/bin/env bash
# The pictures of the documentation. precision_recall.svg: the five XL-WA development sets as one, before and after training.
#   GOLD=dir of en-XX.xlwa-dev/{test.en,test.XX,gold}  BEFORE=model  AFTER=model  bash docs/pictures.sh
# show.png, where there is a chromium: the shipped German-English gold pairs, aligned by AFTER.
set -euo pipefail
GOLD=$(realpath "${GOLD:?directory of the gold sets}")
BEFORE=$(realpath "${BEFORE:?model directory: outputs/one_hour/e5}")
AFTER=$(realpath "${AFTER:?model directory: outputs/one_hour/trained}")
cd "$(dirname "$0")"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT

python - "$GOLD" "$WORK" <<'PYTHON'
import sys
from pathlib import Path

from xlm_align_fairseq.links.gold import format_gold
from xlm_align_fairseq.links.gold_set import read_gold_set

gold, work = map(Path, sys.argv[1:])
sets = [gold / f"en-{lang}.xlwa-dev" for lang in ("bg", "es", "it", "nl", "pt")]
sets = [read_gold_set(f"{place}/test.en,{place}/test.{place.name[3:5]},{place}/gold") for place in sets]
for name, lines in {
    "src": [line for found in sets for line in found.source],
    "tgt": [line for found in sets for line in found.target],
    "gold": [format_gold(links) for found in sets for links in found.gold],
}.items():
    (work / f"dev.{name}").write_text("".join(f"{line}\n" for line in lines), "utf-8")
PYTHON

align() { # model, output, flags…
  xlm-align align --model "$1" --method argmax --src "$WORK/dev.src" --tgt "$WORK/dev.tgt" --format probabilities --quiet \
    --out "$WORK/$2" "${@:3}"
}
align "$BEFORE" before --encoding separate --align-layer 6
align "$AFTER" after --encoding joint --align-layer 11
align "$AFTER" after-union --encoding joint --align-layer 11 --symmetrization union
(cd "$WORK" && xlm-align score --gold dev.gold before after after-union --curve-plot precision_recall.svg)
cp "$WORK/precision_recall.svg" .

if command -v chromium > /dev/null; then
  data=../examples/quickstart/data/de-en
  xlm-align align --model "$AFTER" --method argmax --encoding joint --align-layer 11 --format probabilities --quiet \
    --src "$data/test.de" --tgt "$data/test.en" --out "$WORK/XLM-Align"
  xlm-align show --src "$data/test.de" --tgt "$data/test.en" --alignments "$WORK/XLM-Align" --gold "$data/gold" --html "$WORK/page.html"
  chromium --headless --no-sandbox --hide-scrollbars --window-size=1200,900 --screenshot="$WORK/show.png" \
    "file://$WORK/page.html" 2> "$WORK/chromium.log"
  cp "$WORK/show.png" .
fi
