#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# A new service is not started: that is the operator's to say. One that runs
# goes on with the new program; domains stay on their reservations meanwhile.
set -e
# Where an image is being made no systemd runs, and there is nobody to tell.
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload || :
	# dpkg: configure OLD-VERSION; rpm: how many are installed then.
	if [ "$1" = configure ] && [ -n "$2" ] || [ "$1" = 2 ]; then
		systemctl try-restart UNIT || :
	fi
fi
