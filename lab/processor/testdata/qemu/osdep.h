// SPDX-License-Identifier: Apache-2.0
/* What the emulated processor takes from QEMU, for a driver without QEMU. */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define G_GNUC_NORETURN __attribute__((noreturn))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
