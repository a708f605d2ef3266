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
