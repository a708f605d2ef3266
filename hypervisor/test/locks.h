/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VLIB_LOCKS_H
#define VLIB_LOCKS_H

struct domain;

/* No lock is held for long, at the largest numbers accepted. */
void locks_are_short(struct domain *dom0);

#endif /* VLIB_LOCKS_H */
