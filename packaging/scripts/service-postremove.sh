#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
case "$1" in
remove | purge | 0)
	REMOVE_RUN
	if [ -d /run/systemd/system ]; then
		systemctl daemon-reload || :
	fi
	;;
esac
if [ "$1" = purge ] && command -v deb-systemd-helper >/dev/null; then
	deb-systemd-helper purge UNIT >/dev/null || :
fi
