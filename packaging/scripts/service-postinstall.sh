#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A new service is not started: the operator decides that. A running service is
# restarted with the new program; domains keep their reservations meanwhile.
set -e
# While an image is being made, systemd does not run.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	# dpkg passes: configure OLD-VERSION; rpm: the number of installed versions.
	if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then
		systemctl try-restart UNIT || :
	fi
fi
