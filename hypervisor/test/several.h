/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef VLIB_SEVERAL_H
#define VLIB_SEVERAL_H

struct domain;

/* Reservations with several servers, and their places. */
void several_servers(struct domain *control);

#endif /* VLIB_SEVERAL_H */
