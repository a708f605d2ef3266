/* SPDX-License-Identifier: GPL-2.0-only */
#include "check.h"
#include "locks.h"
#include "machine.h"

void locks_are_short(struct domain *dom0)
{
    (void)dom0;
}
