#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
# dpkg passes the action, rpm the number of versions that stay. An upgrade stops nothing.
case "$1" in
remove | 0)
	if command -v systemctl >/dev/null; then
		systemctl disable UNIT || :
		if [ -d /run/systemd/system ]; then
			systemctl stop UNIT || :
		fi
	fi
	;;
esac
