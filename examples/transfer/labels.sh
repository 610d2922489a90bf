#!/usr/bin/env bash
# Transfer the model or the labels? Names in UNER's parallel sentences, Portuguese and Swedish, by four ways:
#   NER=dir PROJECTION=dir of {en,pt,sv}_uner_pud.iob2  BITEXT=file of sv-en.*.tsv.xz  WORDS=OUT of words.sh  bash labels.sh
# (a) an English model reads the translation; (b) gold English labels are carried over links; (c) the English model's labels are;
# (d) a model is trained on the English data and on what (c) makes of Swedish bitext. README.md says what came out.
set -euo pipefail
NER=$(realpath "${NER:?directory of en_uner_ewt-train.iob2 and en_uner_ewt-dev.iob2}")
PROJECTION=$(realpath "${PROJECTION:?directory of en_uner_pud.iob2, pt_uner_pud.iob2, sv_uner_pud.iob2}")
[ -z "${BITEXT:-}" ] || BITEXT=$(realpath "$BITEXT") # Swedish, a tab, English
WORDS=$(realpath "${WORDS:?where words.sh has put its runs}")
OUT=$(realpath -m "${OUT:-outputs/labels}")
ENCODER=${ENCODER:-before} # or after: which of the encoders of words.sh
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
runs=("$WORDS/table/runs/$ENCODER"/ner.[0-9]*)
model=${runs[0]}
mkdir -p "$OUT"

tag() { # words, one a line, blank lines between sentences -> word, tab, tag
  xlm-align evaluate --task ner --model "$model" --data "$1" --lang xx --out "$OUT/tags" --quiet > /dev/null
  paste "$1" "$OUT/tags/panx/test-xx.tsv" | sed 's/^\t$//' > "$2"
}
columns() { # a file of any form, what to keep -> words, or words and tags
  python -c 'import sys; from xlm_align_fairseq.transfer import read_tagged
for words, tags in read_tagged(sys.argv[1]).sentences:
    print("".join(f"{word}\t{tag}\n" if sys.argv[2] == "both" else f"{word}\n" for word, tag in zip(words, tags, strict=True)))' "$1" "$2"
}

for lang in pt sv; do xlm-align project --labels "$PROJECTION/${lang}_uner_pud.iob2" --plain-source --out "$OUT/pud.$lang"; done
xlm-align project --labels "$PROJECTION/en_uner_pud.iob2" --plain-source --out "$OUT/pud.en"
columns "$PROJECTION/en_uner_pud.iob2" words > "$OUT/pud.en.words"
tag "$OUT/pud.en.words" "$OUT/pud.en.tagged"
echo "== the English model on English"
xlm-align evaluate --task ner --model "${runs[@]}" --data "$NER/en_uner_ewt-dev.iob2" "$PROJECTION/en_uner_pud.iob2" --lang dev,pud --quiet

for lang in pt sv; do
  gold=$PROJECTION/${lang}_uner_pud.iob2
  [ -f "$OUT/links.$lang" ] || xlm-align align --format probabilities --quiet --src "$OUT/pud.en" --tgt "$OUT/pud.$lang" --out "$OUT/links.$lang"
  echo "== $lang (a) the English model reads the translation: that of (c), and all"
  xlm-align evaluate --task ner --model "$model" --data "$gold" --lang "$lang" --quiet
  xlm-align evaluate --task ner --model "${runs[@]}" --data "$gold" --lang "$lang" --quiet
  echo "== $lang (b) gold English labels over links"
  xlm-align project --labels "$PROJECTION/en_uner_pud.iob2" --tgt "$OUT/pud.$lang" --alignments "$OUT/links.$lang" --score "$gold" --quiet
  echo "== $lang (c) the English model's labels over links"
  xlm-align project --labels "$OUT/pud.en.tagged" --tgt "$OUT/pud.$lang" --alignments "$OUT/links.$lang" --score "$gold" --quiet
done

[ -n "${BITEXT:-}" ] || exit 0
echo "== (d) English data, and Swedish bitext whose English side the model has labelled"
[ -f "$OUT/bitext.tsv" ] ||
  python -c 'import lzma, sys
rows = (line for line in lzma.open(sys.argv[1], "rt", encoding="utf-8") if 8 <= len(line.split("\t")[1].split()) <= 40)
open(sys.argv[2], "w", encoding="utf-8").writelines(row for _, row in zip(range(int(sys.argv[3])), rows))' \
    "$BITEXT" "$OUT/bitext.tsv" "${PAIRS:-4000}"
for column in 1:sv 2:en; do cut -f"${column%:*}" "$OUT/bitext.tsv" > "$OUT/raw.${column#*:}"; done
[ -f "$OUT/links" ] || xlm-align align --tokenizer intl --write-tokenized "$OUT/bitext.en" "$OUT/bitext.sv" --format probabilities \
  --quiet --src "$OUT/raw.en" --tgt "$OUT/raw.sv" --out "$OUT/links"
sed 's/$/ /' "$OUT/bitext.en" | tr ' ' '\n' > "$OUT/bitext.words" # a blank line between sentences
tag "$OUT/bitext.words" "$OUT/bitext.tagged"
xlm-align project --labels "$OUT/bitext.tagged" --tgt "$OUT/bitext.sv" --alignments "$OUT/links" --out "$OUT/projected.tsv" --quiet
mkdir -p "$OUT/download/panx"
{
  columns "$NER/en_uner_ewt-train.iob2" both
  cat "$OUT/projected.tsv"
} > "$OUT/download/panx/train-en.tsv"
ln -sf "$NER/en_uner_ewt-dev.iob2" "$OUT/download/panx/dev-en.tsv"
for lang in pt sv; do ln -sf "$PROJECTION/${lang}_uner_pud.iob2" "$OUT/download/panx/test-$lang.tsv"; done
xlm-align xtreme --checkpoint "$WORDS/$ENCODER" --data "$OUT/download" --tasks ner --seeds "${SEEDS:-1}" --out "$OUT/table" "$@"
