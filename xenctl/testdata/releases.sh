#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# releases.sh GITDIR >releases.txt: for each release of Xen since 4.17 in a clone of
# Xen's repository: its tag, the versions of domctl and sysctl in its public headers, and
# the hash of what layout.c prints when it is compiled with those headers.
# Needs a C compiler and git.
set -eu
program=$(dirname "$0")/layout.c
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for tag in $(git -C "$1" tag -l 'RELEASE-4.*' | sort -V | sed -n '/^RELEASE-4\.17\.0$/,$p'); do
	rm -rf "$dir/tree" "$dir/include"
	mkdir "$dir/tree" "$dir/include"
	git -C "$1" archive "$tag" xen/include/public tools/include/xen-sys/Linux | tar -x -C "$dir/tree"
	mv "$dir/tree/xen/include/public" "$dir/include/xen"
	mv "$dir/tree/tools/include/xen-sys/Linux" "$dir/include/xen/sys"
	version() {
		sed -n "s/^#define XEN_$1_INTERFACE_VERSION 0x0*/0x/p" "$dir/include/xen/$2"
	}
	${CC:-cc} -Wall -Werror -I"$dir/include" -o "$dir/layout" "$program"
	layout=$("$dir/layout" | sha256sum)
	echo "$tag $(version DOMCTL domctl.h) $(version SYSCTL sysctl.h) ${layout%% *}"
done
