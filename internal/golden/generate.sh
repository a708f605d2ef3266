#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# generate.sh PROGRAM.c OUTPUT.txt: compiles and runs PROGRAM, and saves its
# output.
# Needs a C compiler and the headers of libxen-dev 4.17.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
${CC:-cc} -Wall -Werror -o "$dir/layout" "$1"
"$dir/layout" >"$2"
