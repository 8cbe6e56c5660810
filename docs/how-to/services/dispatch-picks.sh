#!/bin/sh
# Sends the picks of "seisbench-llm live --format scml --out DIR" to SeisComP, one report at a time.
#
#     dispatch-picks.sh DIR/scml [options of scdispatch, such as -H HOST]
#
# What was sent is removed. If SeisComP does not answer, it is sent later, in the same order.
folder=$1
shift
while sleep 1; do
    for file in "$folder"/*.scml; do
        [ -e "$file" ] || continue
        # A later report about a pick updates the earlier one.
        scdispatch "$@" -O merge -i "$file" || break
        rm -- "$file"
    done
done
