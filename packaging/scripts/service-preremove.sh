#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
set -e
# dpkg passes the action, rpm the number of versions that stay. An upgrade stops nothing.
# On Debian the purge disables the service.
case "$1" in
remove)
	if [ -d /run/systemd/system ]; then
		deb-systemd-invoke stop UNIT || :
	fi
	;;
0)
	if command -v systemctl >/dev/null; then
		systemctl disable UNIT || :
		if [ -d /run/systemd/system ]; then
			systemctl stop UNIT || :
		fi
	fi
	;;
esac
