#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Both after installation and after removal: the boot menu's entry is there as
# long as the image is.
set -e
case "$1" in
configure | remove)
	if command -v update-grub >/dev/null && [ -d /boot/grub ]; then
		update-grub
	fi
	;;
esac
