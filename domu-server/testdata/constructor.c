// SPDX-License-Identifier: Apache-2.0
// A library that crashes while it is loaded.
#include <stdlib.h>

__attribute__((constructor)) static void begin(void) { abort(); }

int f(void) { return 1; }
