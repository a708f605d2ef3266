#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# It runs after installation and after removal: the boot menu's entry exists as
# long as the image does.
set -e
case "$1" in
configure | remove)
	if command -v update-grub >/dev/null && [ -d /boot/grub ]; then
		update-grub
	fi
	;;
esac
