#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A new service is not started: the operator decides that. A running service is
# restarted with the new program; domains keep their reservations meanwhile.
set -e
# dpkg passes: configure OLD-VERSION; rpm: the number of installed versions.
upgrade=
if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then upgrade=yes; fi
# What the operator enabled before a removal is enabled again.
if [ "$1" = configure ] && command -v deb-systemd-helper >/dev/null; then
	if deb-systemd-helper debian-installed UNIT; then
		deb-systemd-helper unmask UNIT >/dev/null || :
		if deb-systemd-helper --quiet was-enabled UNIT; then
			deb-systemd-helper enable UNIT >/dev/null || :
		fi
	fi
	deb-systemd-helper update-state UNIT >/dev/null || :
fi
# While an image is being made, systemd does not run.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	case "$upgrade$1" in
	yesconfigure) deb-systemd-invoke try-restart UNIT || : ;;
	yes*) systemctl try-restart UNIT || : ;;
	esac
fi
